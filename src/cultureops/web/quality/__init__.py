"""What quality assurance works with: what waits, deviations, reviews, decisions."""
