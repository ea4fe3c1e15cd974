"""What theory predicts for a network on its own data, before it trains."""
