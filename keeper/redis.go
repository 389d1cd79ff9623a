package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"checkout/common/env"
	commonredis "checkout/common/redis"
	"checkout/keeper/rule"
)

// redisNode sends commands to the Redis of this node. It implements rule.Redis. It does not use package common/redis,
// which checks the identity of a shard first: a keeper must also control a Redis that is empty or loading its data.
//
// A hung Redis may execute a command after the keeper has stopped waiting for its reply. For example, a late REPLICAOF
// could undo a freeze. So the keeper uses one connection. Each new connection first kills the older ones, so that
// their pending commands do not run. The keeper recognizes its connections by their name.
type redisNode struct {
	options    *redis.Options
	client     *redis.Client // nil after an error: the old client would delay the next dial by up to 1 s
	copies     commonredis.CopyWatch
	epoch, seq string // names of the two keys
}

const clientName = "keeper"

func newRedis(c env.Keeper) *redisNode {
	options := &redis.Options{
		Addr: c.Redis.Addrs[0], Username: c.Redis.Username, Password: c.Redis.Password, DB: c.Redis.DB,
		Protocol: 2, PoolSize: 1, MaxActiveConns: 1, MaxRetries: -1, DialerRetries: 1, ContextTimeoutEnabled: true,
		DialTimeout: askTimeout, ReadTimeout: askTimeout, WriteTimeout: askTimeout, PoolTimeout: askTimeout,
		DisableIdentity: true, OnConnect: killOlder,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
	if c.Redis.TLS {
		options.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	return &redisNode{options: options, epoch: c.Tag() + "epoch", seq: c.Tag() + "seq"}
}

// use calls f with the client. It closes the connection after every error except an error reply of Redis.
func (r *redisNode) use(f func(*redis.Client) error) error {
	if r.client == nil {
		r.client = redis.NewClient(r.options)
	}
	err := f(r.client)
	if err != nil && !isReply(err, "") {
		r.close()
	}
	return err
}

func (r *redisNode) close() {
	if r.client != nil {
		r.client.Close()
		r.client = nil
	}
}

// killOlder closes the keeper's older connections to this Redis, so that a late command on one of them does not run.
func killOlder(ctx context.Context, conn *redis.Conn) error {
	own, err := conn.ClientID(ctx).Result()
	if err != nil {
		return err
	}
	list, err := conn.ClientList(ctx).Result()
	if err != nil {
		return err
	}
	for line := range strings.SplitSeq(list, "\n") {
		if fields := strings.Fields(line); len(fields) > 0 && strings.Contains(line, " name="+clientName+" ") {
			id, isID := strings.CutPrefix(fields[0], "id=")
			if isID && id != strconv.FormatInt(own, 10) {
				if err := conn.Do(ctx, "CLIENT", "KILL", "ID", id).Err(); err != nil && !isReply(err, "ERR No such client") {
					return err
				}
			}
		}
	}
	return conn.ClientSetName(ctx, clientName).Err()
}

// isReply reports whether an error is an error reply of the Redis with the given prefix.
func isReply(err error, prefix string) bool {
	var reply redis.Error
	return errors.As(err, &reply) && strings.HasPrefix(reply.Error(), prefix)
}

type reading struct {
	info     *redis.StringCmd
	keys     *redis.SliceCmd
	settings *redis.Cmd
	sync     *redis.Cmd
}

func (r *redisNode) read(ctx context.Context, p redis.Pipeliner) reading {
	return reading{
		p.Info(ctx, "server", "replication", "persistence", "keyspace"), p.MGet(ctx, r.epoch, r.seq),
		p.Do(ctx, settingsCommand()...),
		p.Do(ctx, "COMMAND", "INFO", "SYNC"),
	}
}

func (r *redisNode) observation(read reading) (o rule.Observation, err error) {
	if err := read.info.Err(); err != nil {
		return o, fmt.Errorf("INFO: %w", err)
	}
	if err := errors.Join(checkSettings(read.settings), checkNoSync(read.sync)); err != nil {
		return o, err
	}
	info := commonredis.ParseInfo(read.info.Val())
	for name, value := range info {
		o.Keys = o.Keys || strings.HasPrefix(name, "db") && strings.HasPrefix(value, "keys=")
	}
	o.RunID, o.Master = info["run_id"], info["role"] == "master"
	if o.RunID == "" || info["role"] == "" {
		return o, errors.New("INFO: no run_id or role")
	}
	if !o.Master {
		o.Follows = net.JoinHostPort(info["master_host"], info["master_port"])
	}
	o.LinkUp, o.Syncing = info["master_link_status"] == "up", info["master_sync_in_progress"] == "1"
	o.AOF = info["aof_enabled"] == "1"
	o.Acked, o.Sending = replicasOf(info)
	if text := info["master_repl_offset"]; text != "" { // despite the name, a replica reports its own offset
		if o.Offset, err = strconv.ParseInt(text, 10, 64); err != nil {
			return o, fmt.Errorf("INFO: master_repl_offset: %w", err)
		}
	}
	o.Loading = info["loading"] == "1" || info["async_loading"] == "1" || isReply(read.keys.Err(), "LOADING")
	o.Unwritten = r.copies.Unwritten(info, o.Master || o.LinkUp && !o.Loading)
	if o.Loading {
		return o, nil
	}
	if err := read.keys.Err(); err != nil {
		return o, fmt.Errorf("MGET: %w", err)
	}
	for i, target := range []*int64{&o.Position.Epoch, &o.Position.Seq} {
		if text, ok := read.keys.Val()[i].(string); ok {
			if *target, err = strconv.ParseInt(text, 10, 64); err != nil || *target < 0 {
				return o, fmt.Errorf("read %s and %s: %v are not two non-negative numbers", r.epoch, r.seq, read.keys.Val())
			}
		}
	}
	return o, nil
}

// Observe implements rule.Redis.
func (r *redisNode) Observe(ctx context.Context) (o rule.Observation, err error) {
	err = r.use(func(c *redis.Client) error {
		o, err = r.observe(ctx, c.Pipeline())
		return err
	})
	return o, err
}

func (r *redisNode) observe(ctx context.Context, p redis.Pipeliner) (rule.Observation, error) {
	read := r.read(ctx, p)
	if _, err := p.Exec(ctx); err != nil && read.info.Err() != nil {
		return rule.Observation{}, err
	}
	return r.observation(read)
}

// Freeze implements rule.Redis. REPLICAOF and the observation use one connection, so they concern the same process.
// Freeze uses no transaction, because Redis 7.2 rejects every command in MULTI while its memory is full.
func (r *redisNode) Freeze(ctx context.Context) (o rule.Observation, err error) {
	err = r.use(func(c *redis.Client) error {
		p := c.Pipeline()
		p.Do(ctx, replicaOf(rule.Frozen)...)
		read := r.read(ctx, p)
		if _, err := p.Exec(ctx); err != nil {
			return fmt.Errorf("freeze the Redis: %w", err)
		}
		o, err = r.observation(read)
		return err
	})
	return o, err
}

// Follow implements rule.Redis.
func (r *redisNode) Follow(ctx context.Context, addr string) error {
	if err := r.do(ctx, replicaOf(addr)...); err != nil {
		return fmt.Errorf("follow %s: %w", addr, err)
	}
	return nil
}

func (r *redisNode) do(ctx context.Context, args ...any) error {
	return r.use(func(c *redis.Client) error { return c.Do(ctx, args...).Err() })
}

func replicaOf(addr string) []any {
	host, port, _ := net.SplitHostPort(addr)
	return []any{"REPLICAOF", host, port}
}

// Promote implements rule.Redis. Observation and promotion use one connection, so they concern the same process. A
// script writes the epoch: Redis is still a replica while it queues the transaction, and would reject a plain SET.
//
// A replica ignores maxmemory by default, so full memory does not prevent the transaction.
//
// Promote closes the connections of all other clients. Otherwise, Redis could execute the reads of a batch on
// stale data before the promotion, and acknowledge the same batch after the promotion.
func (r *redisNode) Promote(ctx context.Context, epoch int64, check func(rule.Observation) error) error {
	return r.use(func(c *redis.Client) error {
		conn := c.Conn()
		defer conn.Close()
		o, err := r.observe(ctx, conn.Pipeline())
		if err == nil {
			err = check(o)
		}
		if err != nil {
			return err
		}
		p := conn.TxPipeline()
		p.Do(ctx, "REPLICAOF", "NO", "ONE")
		p.Eval(ctx, "return redis.call('SET', KEYS[1], ARGV[1])", []string{r.epoch}, epoch)
		p.Do(ctx, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
		if _, err := p.Exec(ctx); err != nil {
			return fmt.Errorf("promote the Redis: %w", err)
		}
		return nil
	})
}

// pause delays the writes of all clients for the given time, or until a call of resume.
func (r *redisNode) pause(ctx context.Context, d time.Duration) error {
	return r.do(ctx, "CLIENT", "PAUSE", d.Milliseconds(), "WRITE")
}

func (r *redisNode) resume(ctx context.Context) error { return r.do(ctx, "CLIENT", "UNPAUSE") }

// identity returns the service and the index of the shard to which the data belongs, or "" if there is no identity.
func (r *redisNode) identity(ctx context.Context) (service, index string, err error) {
	err = r.use(func(c *redis.Client) error {
		fields, err := c.HGetAll(ctx, "identity").Result()
		service, index = fields["service"], fields["index"]
		return err
	})
	return service, index, err
}
