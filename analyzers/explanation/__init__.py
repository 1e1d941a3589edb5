"""Why a drift alarm: which segment moved, since when, and how."""
