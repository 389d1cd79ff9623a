// Package env parses the environment of a service, once, and reports all mistakes together.
package env

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"checkout/common/shard"
)

// Config is the configuration of a service. A test checks the table in docs/deploy.md against Variables.
type Config struct {
	Machine, Machines int // MACHINE_ID "i/N": Machine is i, from 1; Machines is N
	Redis             Redis
	Bind              string // address that both doors bind to; empty: every address
	Port              int    // the public door
	InternalPort      int    // the internal door
	Debug             bool   // log every request and answer
	BatchInit         bool   // whether batch_init may overwrite data
	Console           bool   // whether the console offers to change anything
	LogJSON           bool   // log in JSON
	Traces            Traces
	OrderPeers        []string // host:port of the peers' internal doors
	StockPeers        []string
	PaymentPeers      []string
}

// Redis says where the shards are; all of them share everything but the address.
type Redis struct {
	Addrs              []string // host:port of each shard, in shard order
	Username, Password string
	DB                 int
	TLS                bool
}

// Traces says where traces are sent; the zero value: nowhere.
type Traces struct {
	URL     string            // of an OTLP collector, all of it
	Headers map[string]string // of each request to it
}

// Variable documents one variable of the environment.
type Variable struct{ Name, Meaning, Default string }

// Variables lists every variable that Parse reads, in the order of the table in docs/deploy.md.
var Variables = []Variable{
	{"ORDER_SERVICE_URL, STOCK_SERVICE_URL, PAYMENT_SERVICE_URL", "`http://host:port/` of the peer's internal port, or several, comma-separated; the service uses every address that a name resolves to, balances the load and fails over", "required where used"},
	{"REDIS_ADDRS", "`host:port[,host:port…]`, one per shard, in shard order", "required"},
	{"REDIS_PASSWORD", "the password of every shard", "empty"},
	{"REDIS_USERNAME", "the user name for every shard", "empty"},
	{"REDIS_DB", "the database number of every shard", "0"},
	{"REDIS_TLS", "1: speak TLS to every shard", "0"},
	{"MACHINE_ID", "`i/N`: instance i of N, i from 1; N instances can serve any number of shards", "required"},
	{"PORT", "the public port", "5000"},
	{"INTERNAL_PORT", "the internal port: transaction steps, health, metrics, profiles; the gateway does not route to it", "5001"},
	{"BIND", "the IP address that both ports bind to", "every address"},
	{"BATCH_INIT", "0: reject batch_init, which overwrites data", "1"},
	{"CONSOLE", "0: the console is read-only", "1"},
	{"WDM_DEBUG", "1: log every request and response", "0"},
	{"LOG_FORMAT", "`text` or `json`", "text"},
	{"OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "the collector that receives traces as OTLP over HTTP, for example `http://jaeger:4318`; the service appends `/v1/traces` to the first", "empty: no traces"},
	{"OTEL_EXPORTER_OTLP_HEADERS", "headers of each request to the collector, `name=value,…`", "empty"},
	{"OTEL_EXPORTER_OTLP_PROTOCOL", "`http/protobuf`, the only supported protocol", "http/protobuf"},
	{"OTEL_SDK_DISABLED", "`true`: no traces", "false"},
	{"GIN_MODE", "`debug` or `release`", "release in every shipped manifest"},
}

// Peer names a service whose internal door another one calls.
type Peer string

// The peers, by the prefix of their variable.
const (
	Order   Peer = "ORDER"
	Stock   Peer = "STOCK"
	Payment Peer = "PAYMENT"
)

// Parse reads the environment by getenv. The URLs of the peers in needs are required; those of the others are ignored. The error,
// if any, names every mistake, one a line.
func Parse(getenv func(string) string, needs ...Peer) (Config, error) {
	p := parser{getenv: getenv}
	c := Config{
		Redis: Redis{
			Addrs:    p.addrs("REDIS_ADDRS"),
			Username: getenv("REDIS_USERNAME"),
			Password: getenv("REDIS_PASSWORD"),
			DB:       p.number("REDIS_DB", 0, 0, 1<<15),
			TLS:      p.flag("REDIS_TLS", false),
		},
		Bind:         getenv("BIND"),
		Port:         p.number("PORT", 5000, 0, 65535),
		InternalPort: p.number("INTERNAL_PORT", 5001, 0, 65535),
		Debug:        p.flag("WDM_DEBUG", false),
		BatchInit:    p.flag("BATCH_INIT", true),
		LogJSON:      p.choice("LOG_FORMAT", "text", "json") == "json",
		Traces:       p.traces(),
		Console:      p.flag("CONSOLE", true),
	}
	c.Machine, c.Machines = p.machine("MACHINE_ID")
	for _, peer := range needs {
		urls := p.urls(string(peer) + "_SERVICE_URL")
		switch peer {
		case Order:
			c.OrderPeers = urls
		case Stock:
			c.StockPeers = urls
		case Payment:
			c.PaymentPeers = urls
		}
	}
	if c.Bind != "" && net.ParseIP(c.Bind) == nil {
		p.mistake("BIND", "%q is not an IP address", c.Bind)
	}
	if c.Port == c.InternalPort && c.Port != 0 {
		p.mistake("INTERNAL_PORT", "%d is PORT as well: the internal door needs a port of its own", c.Port)
	}
	p.choice("GIN_MODE", "debug", "release", "test")
	return c, errors.Join(p.mistakes...)
}

type parser struct {
	getenv   func(string) string
	mistakes []error
}

func (p *parser) mistake(name, format string, args ...any) {
	p.mistakes = append(p.mistakes, fmt.Errorf("%s: %s", name, fmt.Sprintf(format, args...)))
}

func (p *parser) number(name string, otherwise, low, high int) int {
	s := p.getenv(name)
	if s == "" {
		return otherwise
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < low || n > high {
		p.mistake(name, "%q is not a number from %d to %d", s, low, high)
		return otherwise
	}
	return n
}

func (p *parser) flag(name string, otherwise bool) bool {
	switch s := p.getenv(name); s {
	case "":
		return otherwise
	case "0":
		return false
	case "1":
		return true
	default:
		p.mistake(name, "%q is neither 0 nor 1", s)
		return otherwise
	}
}

// choice returns one of the words that a variable may be, the first if it is empty.
func (p *parser) choice(name string, words ...string) string {
	s := p.getenv(name)
	if s == "" {
		return words[0]
	}
	if !slices.Contains(words, s) {
		p.mistake(name, "%q is none of %s", s, strings.Join(words, ", "))
	}
	return s
}

func (p *parser) machine(name string) (machine, machines int) {
	s := p.getenv(name)
	if s == "" {
		p.mistake(name, "is missing; it is the number of this machine and of all, as in 1/3")
		return 0, 0
	}
	left, right, _ := strings.Cut(s, "/")
	machine, err1 := strconv.Atoi(left)
	machines, err2 := strconv.Atoi(right)
	if err1 != nil || err2 != nil || machine < 1 || machine > machines || machines > shard.Max {
		p.mistake(name, "%q is not of the form i/N with i from 1 to N", s)
		return 0, 0
	}
	return machine, machines
}

func (p *parser) addrs(name string) []string {
	s := p.getenv(name)
	if s == "" {
		p.mistake(name, "is missing; it lists host:port of every shard, in shard order")
		return nil
	}
	addrs := strings.Split(s, ",")
	if len(addrs) > shard.Max {
		p.mistake(name, "%d shards are more than %d", len(addrs), shard.Max)
	}
	seen := map[string]bool{}
	for _, a := range addrs {
		if !isHostPort(a) {
			p.mistake(name, "%q is not host:port", a)
		} else if seen[a] {
			p.mistake(name, "%q is listed twice: each shard needs a Redis of its own", a)
		}
		seen[a] = true
	}
	return addrs
}

func (p *parser) urls(name string) []string {
	s := p.getenv(name)
	if s == "" {
		p.mistake(name, "is missing; it is http://host:port/ of the peer's internal door")
		return nil
	}
	var urls []string
	for raw := range strings.SplitSeq(s, ",") {
		u, err := url.Parse(raw)
		if err != nil || u.Scheme != "http" || !isHostPort(u.Host) || u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.User != nil || u.Fragment != "" {
			p.mistake(name, "%q is not of the form http://host:port/", raw)
			continue
		}
		urls = append(urls, u.Host)
	}
	return urls
}

func isHostPort(s string) bool {
	host, port, err := net.SplitHostPort(s)
	if err != nil || host == "" || strings.ContainsAny(host, " \t/@") {
		return false
	}
	n, err := strconv.Atoi(port)
	return err == nil && n >= 1 && n <= 65535
}
