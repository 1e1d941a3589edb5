"""Kind `judge`: a language model behind an OpenAI-compatible endpoint grades texts, within a budget."""
