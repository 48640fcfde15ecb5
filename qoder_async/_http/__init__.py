"""The only place that touches aiohttp's client."""
