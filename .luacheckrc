-- Redis runs the scripts: Lua 5.1 with only these globals. common/protocol defines the last two rows.
std = {
    read_globals = {
        "KEYS", "ARGV", "redis", "cjson", "cmsgpack", "bit", "struct",
        "string", "table", "math", "tonumber", "tostring", "ipairs", "pairs", "next", "type", "unpack",
        "select", "error", "assert", "pcall",
        "DEADLINE_MS", "REFUND_WINDOW_MS", "RETENTION_MS", "now_ms", "ms",
        "DIFFERS", "DONE", "REPLAYED", -- common/idempotency
    },
}
max_line_length = 130
files["common/idempotency/lua/once.lua"].read_globals = { "work" }
