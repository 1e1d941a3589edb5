"""Streamlit dashboard; reads through leewatch.storage only."""
