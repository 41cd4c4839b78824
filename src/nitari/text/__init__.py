"""Text: what is written in catalog columns -> rows. numpy and the standard library only."""
