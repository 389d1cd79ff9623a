package env

import (
	"net/url"
	"strings"

	"checkout/common/shard"
)

func (p *parser) addrs(name string) []string {
	s := p.getenv(name)
	if s == "" {
		p.reject(name, "is missing: list host:port of every shard, in shard order")
		return nil
	}
	addrs := strings.Split(s, ",")
	if len(addrs) > shard.Max {
		p.reject(name, "%d shards exceed the limit of %d", len(addrs), shard.Max)
	}
	seen := map[string]bool{}
	for _, shard := range addrs {
		nodes := Nodes(shard)
		if len(nodes) != 1 && len(nodes) != Copies {
			p.reject(name, "%q has %d nodes: a shard has one node or %d", shard, len(nodes), Copies)
		}
		for _, a := range nodes {
			key := strings.ToLower(a)
			if !isHostPort(a) {
				p.reject(name, "%q is not host:port", a)
			} else if seen[key] {
				p.reject(name, "%q is listed twice: each node of a shard needs its own Redis", a)
			}
			seen[key] = true
		}
	}
	return addrs
}

// Copies is the number of nodes of a replicated shard.
const Copies = 3

// Nodes returns host:port of each node of a shard. The argument is an element of Redis.Addrs.
func Nodes(addr string) []string { return strings.Split(addr, "+") }

// engine rejects settings that contradict REDIS_DURABLE=engine.
func (p *parser) engine(c Redis) {
	if c.Durable != Engine {
		return
	}
	for _, addr := range c.Addrs {
		if len(Nodes(addr)) > 1 {
			p.reject("REDIS_DURABLE", "engine and the nodes %q contradict each other: list one address of each engine", addr)
		}
	}
	if c.DB != 0 {
		p.reject("REDIS_DB", "%d: with REDIS_DURABLE=engine, the number must be 0, because a cluster has one database", c.DB)
	}
}

func (p *parser) urls(name string) []string {
	s := p.getenv(name)
	if s == "" {
		p.reject(name, "is missing: set http://host:port/ of the service's internal port")
		return nil
	}
	var urls []string
	for raw := range strings.SplitSeq(s, ",") {
		u, err := url.Parse(raw)
		if err != nil || u.Scheme != "http" || !isHostPort(u.Host) || u.Path != "" && u.Path != "/" ||
			u.RawQuery != "" || u.User != nil || u.Fragment != "" {
			p.reject(name, "%q is not of the form http://host:port/", raw)
			continue
		}
		urls = append(urls, u.Host)
	}
	return urls
}
