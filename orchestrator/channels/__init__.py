"""Release channels: what they hold, whether a version may reach one, and moving them."""
