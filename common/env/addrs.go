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
	for _, a := range addrs {
		if !isHostPort(a) {
			p.reject(name, "%q is not host:port", a)
		} else if seen[a] {
			p.reject(name, "%q is listed twice: each shard needs its own Redis", a)
		}
		seen[a] = true
	}
	return addrs
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
