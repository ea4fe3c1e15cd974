"""The atlas: a map of what becomes of networks over two settings."""
