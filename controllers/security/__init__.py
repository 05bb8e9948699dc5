"""The `security` controller, and what of `auth` and `admin` is about users and rights."""
