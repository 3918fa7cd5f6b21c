"""Files of members and orders into the house: reading them is here, what their rows mean is the domain's."""
