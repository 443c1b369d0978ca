"""What people look at: tables, plots, timelines, rooflines, comparisons."""
