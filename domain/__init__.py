"""Tables, the verbs on them, and the rules of the field. Imports no sibling room, no HTTP and no queue."""
