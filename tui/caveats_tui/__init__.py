"""The terminal program. It imports caveats; caveats never imports it."""
