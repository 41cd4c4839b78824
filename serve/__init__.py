"""The online side: commands and services that work where only the extra 'serve' is installed."""
