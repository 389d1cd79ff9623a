-- The scripts run inside Redis: Lua 5.1 with these globals and no others.
std = {
    read_globals = {
        "KEYS", "ARGV", "redis", "cjson", "cmsgpack", "bit", "struct",
        "string", "table", "math", "tonumber", "tostring", "ipairs", "pairs", "next", "type", "unpack",
        "select", "error", "assert", "pcall",
    },
}
max_line_length = 130
files["common/redisdb/lua/once.lua"].read_globals = { "work" }
