"""What people and machines are told: journal, metrics, HTTP, status, recordings.

Everything here renders verdicts or one immutable snapshot; nothing is counted here twice.
"""
