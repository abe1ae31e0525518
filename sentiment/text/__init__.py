"""From a text to token ids: cleaning, sentences, tokenizers."""
