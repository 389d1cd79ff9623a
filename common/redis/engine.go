package redis

import (
	"context"
	"errors"
	"net"
	"strings"
	"time"

	"checkout/common/env"
)

// An engine is a service that makes a write durable on several machines before its reply, and replaces a failed primary
// by itself (REDIS_DURABLE=engine). It speaks the protocol of Redis Cluster. Each shard is a separate cluster with one
// address. One node of the cluster, the primary, has all hash slots. Every other node replies MOVED, with the address
// of the primary, to each command that has a key, even to a read. See docs/adr/0027-engines.md.

// maxAsked limits how many nodes one dial tries.
const maxAsked = 16

// errNoEnginePrimary is the error if every node of an engine names another node as the primary. classify maps
// CLUSTERDOWN to Clustered.
var errNoEnginePrimary = errorReply("CLUSTERDOWN no node of the cluster is the primary")

// asked is the result of askEngine: a connection to the primary, the address of the primary, or an error.
type asked struct {
	conn  *conn
	moved string
	err   error
}

// dialEngine returns a function that opens a connection to the primary of an engine. Each call of this function
// resolves the host name again and asks all its IP addresses at once, because some of them may lead to replicas, or to
// nodes that hang. Only the primary serves a read of key; others reply MOVED.
func dialEngine(addr string, c env.Redis, name ClientName, key string) func(context.Context) (*conn, error) {
	host, port, _ := net.SplitHostPort(addr) // package env has checked the address
	return func(ctx context.Context) (*conn, error) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		ips, err := net.DefaultResolver.LookupHost(ctx, host)
		if err != nil {
			return nil, err
		}
		replies, known, waiting := make(chan asked), map[string]bool{}, 0
		ask := func(addr string) {
			if known[addr] || len(known) == maxAsked {
				return
			}
			known[addr] = true
			waiting++
			go func() {
				reply := askEngine(ctx, dialerOf(addr, host, c, name), key)
				select {
				case replies <- reply:
				case <-ctx.Done():
					if reply.conn != nil {
						reply.conn.Close()
					}
				}
			}()
		}
		for _, ip := range ips {
			ask(net.JoinHostPort(ip, port))
		}
		var errs []error
		for ; waiting > 0; waiting-- {
			select {
			case reply := <-replies:
				switch {
				case reply.conn != nil:
					return reply.conn, nil
				case reply.moved != "":
					ask(reply.moved)
				default:
					errs = append(errs, reply.err)
				}
			case <-ctx.Done():
				return nil, errors.Join(append(errs, ctx.Err())...)
			}
		}
		if len(errs) == 0 { // every node names another one
			return nil, errNoEnginePrimary
		}
		return nil, errors.Join(errs...)
	}
}

// askEngine connects to a node and reads a key from it.
func askEngine(ctx context.Context, dial func(context.Context) (*conn, error), key string) asked {
	c, err := dial(ctx)
	if err != nil {
		return asked{err: err}
	}
	c.engine = true
	var reply value
	if err = c.write(appendCommand(nil, "GET", key), time.Now().Add(replyTimeout)); err == nil {
		reply, err = c.read()
	}
	if err == nil && reply.kind != '-' {
		return asked{conn: c}
	}
	if addr := movedTo(reply, c.RemoteAddr()); err == nil && addr != "" {
		return asked{moved: addr, err: c.Close()}
	}
	return asked{err: errors.Join(err, reply.err(), c.Close())}
}

// movedTo returns the address in a MOVED reply, such as "MOVED 3999 10.0.0.7:6379". If this address has no host, the
// primary has the host of the node that has replied. For any other reply, movedTo returns "".
func movedTo(reply value, from net.Addr) string {
	if !isMoved(reply) {
		return ""
	}
	_, addr, _ := strings.Cut(strings.TrimPrefix(reply.text, movedPrefix), " ")
	colon := strings.LastIndexByte(addr, ':') // the host may be an IPv6 address without brackets
	if colon < 0 {
		return ""
	}
	host := addr[:colon]
	if host == "" {
		host, _, _ = net.SplitHostPort(from.String())
	}
	return net.JoinHostPort(host, addr[colon+1:])
}

const movedPrefix = "MOVED "

// isMoved reports whether a reply is MOVED. A node returns MOVED instead of running the command.
func isMoved(reply value) bool {
	return reply.kind == '-' && strings.HasPrefix(reply.text, movedPrefix)
}

// Engine reports whether the shard is an engine (REDIS_DURABLE=engine). The keys of an engine are in two hash slots:
// IdentityKey in one, all keys that start with the hash tag in the other. No script may use keys in both slots.
func (s *Shard) Engine() bool { return s.engine }

// redirected reports whether a command did not run because the server is not the primary of an engine. The next
// connection leads to the primary, so the command may be sent again.
func (s *Shard) redirected(reply value) bool { return s.engine && isMoved(reply) }

// left reports whether an error shows that the second connection led to a node that is not the engine's primary. The
// caller then sends all its commands again, on a new connection.
func (s *Shard) left(err error) bool {
	var reply errorReply
	return s.engine && errors.As(err, &reply) && strings.HasPrefix(string(reply), movedPrefix)
}

// leaves reports whether a reply means that the next batch must look for the engine's primary again.
func leaves(reply value) bool {
	if reply.kind != '-' {
		return false
	}
	reason, _ := classify(reply.text)
	return passes(reason)
}

// passes is true for a problem that ends as soon as the engine or the replicated shard has replaced its primary.
func (s *Shard) passes(r Reason) bool {
	return s.engine && passes(r) || s.trailer.replicated && r == Replica
}

// passes reports whether a failover of the engine ends a problem with this reason.
func passes(r Reason) bool { return r == Clustered || r == Replica || r == Loading }

// guardOf returns the trailer of the second connection of an engine: a read of a key. On a replica, this read fails,
// but commands without a key, such as SCAN, succeed.
func guardOf(key string) trailer {
	return trailer{command: appendCommand(nil, "GET", key), guard: true}
}

// slotsCommand is the command of an inspection that lists the nodes of an engine.
var slotsCommand = []any{"CLUSTER", "SLOTS"}

// layout returns a Refusal if the kind of server does not match REDIS_DURABLE. With REDIS_DURABLE=engine, the server
// must belong to a cluster that has only one shard. Otherwise, the server must not belong to a cluster. The arguments
// are the reply to INFO and, for an engine, the reply to slotsCommand.
func (s *Shard) layout(info string, slots value) error {
	if !s.engine {
		if strings.Contains(info, "\ncluster_enabled:1") {
			return refusal(Clustered, "the server belongs to a cluster, whose failover may lose acknowledged writes: "+
				"see REDIS_DURABLE=engine")
		}
		return nil
	}
	if slots.kind == '-' && strings.Contains(slots.text, "cluster support disabled") {
		return refusal(Clustered, "the server belongs to no cluster: REDIS_DURABLE=engine needs the cluster protocol")
	}
	primaries := map[string]bool{}
	for _, slotRange := range slots.list { // first slot, last slot, primary, replicas; a node is host, port, ID, …
		if len(slotRange.list) > 2 {
			node := newReply(slotRange.list[2])
			primaries[node.String(2)] = true
		}
	}
	if len(primaries) > 1 {
		return refusal(Clustered, "the cluster has %d shards: each address in REDIS_ADDRS must lead to a cluster with one",
			len(primaries))
	}
	return nil
}
