"""The child processes that read and classify, so that no image can harm another.

`pool` is the parent's side: the turns, and whether the analysers can be trusted. `process` speaks to one of them,
`child` is what runs inside it, `selftest` draws what each must answer, and `cores` says how many are worth having.
"""
