"""HTTP and GraphQL: a request becomes one domain verb or one planned read, and its answer the answer. See README.md."""
