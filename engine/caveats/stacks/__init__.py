"""Many networks of one shape as one tensor program: drawn, trained, measured and judged."""
