"""The one client for embedded store, server and cluster; schema and queries."""
