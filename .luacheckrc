-- Redis runs the scripts: Lua 5.1 with only these globals. The prelude of common/protocol defines those from DEADLINE_MS on.
std = {
    read_globals = {
        "KEYS", "ARGV", "redis", "cjson", "cmsgpack", "bit", "struct",
        "string", "table", "math", "tonumber", "tostring", "ipairs", "pairs", "next", "type", "unpack",
        "select", "error", "assert", "pcall",
        "DEADLINE_MS", "REFUND_WINDOW_MS", "RETENTION_MS", "now_ms", "ms",
        "DIFFERS", "DONE", "REPLAYED", "EXHAUSTED", -- common/idempotency
        "NAME_LENGTH", "NOT_FOUND", "STARTED", "STALE", "RESUMED", "BUSY", "ABORTING", "CLOSED", "PAID", "REFUNDING", "CANCELLED", "RUNNING", "code_of",
        "TAKEN", "NOT_OPEN", "FULL", "LIMIT", "NOT_IN_ORDER", "TOO_FEW", "overwrite_refusal", "with_event", -- order/store
        "INSUFFICIENT", "UNKNOWN", "RESERVED", "REFUSED", "RELEASED", "EXPIRED", "REFUNDED", "SHORT", "TOO_LITTLE", "NO_COUNTER", "PAID_DIRECTLY", "GUARDED", -- participant
        "OVERFLOW", "FULL_AT", "INTERRUPTED", "words", "recorded", -- participant
        "PAID_DIFFERENTLY", "RETURNED", "NOTHING_PAID", "STARTED_PAYMENT", "SETTLED", "LOST", "UNINDEXED", -- payment
    },
}
max_line_length = 130
files["common/idempotency/lua/once.lua"].read_globals = { "work" }
