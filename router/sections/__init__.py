"""Tables of the settings, by what they are about: each with defaults, units and reasons."""
