"""What a user can choose, one table for each kind; it makes nothing until asked."""
