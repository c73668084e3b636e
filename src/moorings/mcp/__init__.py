"""Tools for agents, by the Model Context Protocol (https://modelcontextprotocol.io).

Each tool calls the service's own API with the caller's key. So rights, limits and routing are those of the API.
"""
