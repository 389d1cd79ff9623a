package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"checkout/common/env"
	"checkout/common/protocol"
	"checkout/common/redis"
)

var adoptScript = redis.MustScript(files, "adopt_shard", protocol.Prelude())

// errAnotherShard is the error for a Redis with the data of another shard, service or system. Adopt never adopts such a
// Redis.
var errAnotherShard = errors.New("correct REDIS_ADDRS or SYSTEM_NAME instead")

// adoption is the state of one call of Adopt.
type adoption struct {
	*Cluster
	index   int
	servers []*redis.Unverified // by shard
	found   []redis.Inspection
}

// Adopt makes all instances accept the Redis at the address of a shard. The instances may have refused this Redis
// before, because it was empty, had data from a release without identities, or was an older copy of the shard. Adopt
// gives the Redis a new identity, which replaces the former identity of the shard. Adopt needs a reply from every shard
// of the service. Adopt writes a report to out.
func Adopt(ctx context.Context, service string, config env.Redis, index int, out io.Writer) error {
	if index < 0 || index >= len(config.Addrs) {
		return fmt.Errorf("adopt shard %d: REDIS_ADDRS lists %d shards, counted from 0", index, len(config.Addrs))
	}
	a := &adoption{Cluster: newCluster(service, config, nil), index: index}
	defer a.close()
	for i, addr := range config.Addrs {
		server, err := a.shards[i].Unverified(ctx)
		if err != nil {
			return fmt.Errorf("adopt shard %d: connect to shard %d at %s: %w", index, i, addr, err)
		}
		a.servers = append(a.servers, server)
		found, err := server.Inspect()
		if err != nil {
			return fmt.Errorf("adopt shard %d: read shard %d at %s: %w", index, i, addr, err)
		}
		a.found = append(a.found, found)
	}
	for i := range a.found {
		if err := a.check(i); err != nil {
			return fmt.Errorf("adopt shard %d: check shard %d at %s: %w", index, i, config.Addrs[i], err)
		}
	}
	d, err := a.adopt()
	if err != nil {
		return fmt.Errorf("adopt shard %d: %w", index, err)
	}
	found := a.found[index]
	fmt.Fprintf(out, "adopted the Redis at %s as shard %d of %s, system %q: "+
		"%d keys, write sequence %d, identity %s, replaces %s\n",
		config.Addrs[index], index, service, a.system, found.Keys, found.Sequence, d.ID, strings.Join(d.Replaces, " "))
	return nil
}

// check returns an error if the Redis at the address of shard i has the data of another shard, service or system.
func (a *adoption) check(i int) error {
	found := &a.found[i]
	if found.ID != "" {
		if found.System != a.system || found.Service != a.name.Service || found.Index != strconv.Itoa(i) {
			return fmt.Errorf("the Redis is shard %s of %s of system %q: %w", found.Index, found.Service, found.System,
				errAnotherShard)
		}
		return nil
	}
	if i != a.index || found.Keys == 0 {
		return nil
	}
	const samples = 100
	for range samples {
		reply, err := a.servers[i].Do("RANDOMKEY")
		if err != nil {
			return err
		}
		if key := reply.String(0); key != "" && !strings.HasPrefix(key, a.shards[i].Key("")) {
			return fmt.Errorf("the Redis has the key %q, which does not belong to this shard: %w", key, errAnotherShard)
		}
	}
	return nil
}

// adopt gives the shard a new identity. It writes the identity first to the shard, and then to the other shards.
func (a *adoption) adopt() (redis.Identity, error) {
	d := redis.Identity{ID: uuid.NewString(), Replaces: a.replaced()}
	announced, active, err := a.activeShards()
	if err != nil {
		return d, err
	}
	args := []any{a.system, a.name.Service, a.index, d.ID, strings.Join(d.Replaces, " "), announced, active}
	for i := range a.found {
		if other := &a.found[i]; i != a.index && other.ID != "" {
			args = append(args, redis.ShardField(i), other.Record())
		}
	}
	server, keys := a.servers[a.index], []string{a.shards[a.index].Key(activationKey)}
	if a.shards[a.index].Engine() {
		// An engine is a cluster. The identity and activationKey have different hash slots, so one script cannot change
		// both. Write activationKey first, because no instance uses the shard until the shard has its new identity.
		for field, number := range map[string]int{announcedField: announced, activeField: active} {
			if _, err := server.Do("EVAL", announceScript.Source(), 1, keys[0], field, number); err != nil {
				return d, err
			}
		}
		keys = nil
	}
	if _, err := server.Run(adoptScript, keys, args...); err != nil {
		return d, err
	}
	for i, server := range a.servers {
		if i != a.index && a.found[i].ID != "" {
			err := known(server.Run(knowScript, nil, a.found[i].ID, redis.ShardField(a.index), d.Record()))
			if err != nil {
				return d, fmt.Errorf("write the identity to shard %d: %w", i, err)
			}
		}
	}
	return d, nil
}

// replaced returns the former IDs of the shard, which are recorded in its Redis and in the other shards. If there is no
// recorded ID or no other shard, a running instance may know yet another former ID. So replaced adds redis.ReplacesAny.
func (a *adoption) replaced() (ids []string) {
	for i := range a.found {
		if i == a.index {
			ids = append(ids, a.found[i].ID)
			ids = append(ids, a.found[i].Replaces...)
		} else {
			ids = append(ids, a.found[i].Shards[a.index]...)
		}
	}
	slices.Sort(ids)
	ids = slices.DeleteFunc(slices.Compact(ids), func(id string) bool { return id == "" })
	if (len(ids) == 0 || len(a.found) == 1) && !slices.Contains(ids, redis.ReplacesAny) {
		ids = append(ids, redis.ReplacesAny)
	}
	return ids
}

// activeShards reads the numbers of announced and active shards from every shard. It returns the largest value of each
// number.
func (a *adoption) activeShards() (announced, active int, err error) {
	for i, server := range a.servers {
		reply, err := server.Do("HMGET", a.shards[i].Key(activationKey), announcedField, activeField)
		if err != nil {
			return 0, 0, err
		}
		announced, active = max(announced, number(&reply, 0)), max(active, number(&reply, 1))
	}
	return announced, active, nil
}

func (a *adoption) close() {
	for _, server := range a.servers {
		server.Close()
	}
	a.stop()
}

// AdoptAll adopts the shards with the given indexes, the arguments of the command adopt-shard.
func AdoptAll(ctx context.Context, service string, config env.Redis, indexes []string, out io.Writer) error {
	if len(indexes) == 0 {
		return errors.New("adopt-shard: no arguments; list the indexes of the shards, counted from 0; " +
			"see \"Adopt a shard\" in docs/operations.md")
	}
	for _, text := range indexes {
		index, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("adopt-shard: %q is not the index of a shard", text)
		}
		if err := Adopt(ctx, service, config, index, out); err != nil {
			return err
		}
	}
	return nil
}
