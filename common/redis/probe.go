package redis

import (
	"context"
	"embed"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

//go:embed lua/probe.lua
var probeFile embed.FS

// The probes are scripts that write nothing. Redis rejects a probe when it would reject other scripts with the same
// flags.
var (
	probeReads  = probe("probe reads", "#!lua flags=no-writes")
	probeWrites = probe("probe writes", "#!lua flags=allow-oom")
	probeMemory = probe("probe memory", "#!lua")
	probes      = []*Script{probeReads, probeWrites, probeMemory}
)

func probe(name, shebang string) *Script {
	return NewScript(name, shebang+"\n"+MustScript(probeFile, "probe", nil).Body())
}

// probeKey is the key, without the hash tag, for which the probes check permissions. No probe writes it. The function
// confirmation also uses it, for a write that has no effect.
const probeKey = "probe"

// commandCall matches a call of a Redis command in a script.
var commandCall = regexp.MustCompile(`redis\.p?call\('(\w+)'`)

// commandsOf returns the Redis commands whose permissions verifyReads and verifyWrites check. Both lists lack WAIT and
// WAITAOF, because on a replicated shard every batch and health check runs these commands anyway.
func commandsOf(scripts []*Script) (reads, writes []any) {
	used := map[level][]string{
		readOnly: {"MGET", "HMGET", "HGETALL", "GET", "HGET", "DBSIZE"}, available: {"HSET", "UNLINK", "INCR", "EVAL"},
	}
	for _, s := range scripts {
		l := readOnly
		if s.needs > readOnly {
			l = available
		}
		for _, match := range commandCall.FindAllStringSubmatch(comment.ReplaceAllString(s.source, ""), -1) {
			used[l] = append(used[l], match[1])
		}
	}
	list := func(names []string) (out []any) {
		slices.Sort(names)
		for _, name := range slices.Compact(names) {
			out = append(out, name)
		}
		return out
	}
	return list(used[readOnly]), list(used[available])
}

// verifyReads checks that the shard runs read-only scripts, and that the user may run all read commands.
func (s *Shard) verifyReads(ctx context.Context) error {
	_, err := s.probe(ctx, probeReads, nil, s.reads)
	return err
}

// verifyWrites checks that the shard runs scripts that write, and that the user may run the commands of these scripts.
// The probe also gets the keys of the last refused call, because the user may lack permission for these keys only. A
// writable replica fails this check, because a replica loses its own writes at the next synchronization.
func (s *Shard) verifyWrites(ctx context.Context) error {
	keys := append([]string{s.Key(probeKey)}, s.state.Load().keys...)
	role, err := s.probe(ctx, probeWrites, keys, s.writes)
	if err == nil && role == "slave" {
		err = errReplica
	}
	return err
}

// errReplica makes a writable replica look like a read-only one.
var errReplica = errorReply("READONLY the shard is a replica of another Redis")

// verifyMemory checks that the memory of the shard is not full.
func (s *Shard) verifyMemory(ctx context.Context) error {
	_, err := s.probe(ctx, probeMemory, nil, nil)
	return err
}

// probe runs a probe and returns the role of the shard. If the user may not run some of the commands, the error lists
// these commands.
func (s *Shard) probe(ctx context.Context, script *Script, keys []string, commands []any) (role string, err error) {
	args := append([]any{s.Key(probeKey)}, commands...)
	reply, err := s.doScript(ctx, script, keys, args...)
	if err != nil {
		return "", err
	}
	role, denied := reply.String(0), reply.String(1)
	if denied != "" {
		return role, errorReply(fmt.Sprintf("NOPERM the user may not run %s", strings.ToLower(denied)))
	}
	return role, reply.Err()
}
