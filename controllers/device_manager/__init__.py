"""The device-manager plugin's controllers: engines and assets."""
