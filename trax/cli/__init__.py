"""trax-ctl: it shows and asks, it decides nothing."""
