"""The servers that are compared, and the origins behind them: pure recipes first, then one class that runs any of them."""
