"""What stands before every page: who asks, from where, and how much they may say."""
