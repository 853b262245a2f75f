"""The nouns that every room shares: identities, policy, state, facts, outputs. No behaviour.

A fact is something observed, an output something decided, and the state is all that
`decide` remembers between two facts. They are frozen and hold plain values only, so that
a recording of them (see agent/codec.py) can be replayed to the same outputs, byte for byte.
"""
