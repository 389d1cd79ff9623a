// Package env parses and validates the environment variables of a service.
package env

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"checkout/common/shard"
)

// Config is the configuration of a service. Variables documents each variable.
type Config struct {
	Instance, Instances int // i and N of MACHINE_ID "i/N"; i counts from 1
	Redis               Redis
	Bind                string // the address of all listeners; empty for every address
	Port                int    // the public port
	InternalPort        int
	MetricsPort         int // the monitoring port
	Access              Access
	Debug               bool // log every request and response
	BatchInit           bool // allow batch_init, which overwrites data
	BatchLimit          int  // the largest number of objects that batch_init writes
	Console             bool // let the console change data
	Lists               bool // serve lists and histories
	Demo                Demo
	LogJSON             bool
	Traces              Traces
	OrderPeers          []string // host:port of each URL in ORDER_SERVICE_URL
	StockPeers          []string
	PaymentPeers        []string
}

// Redis configures the connections to the shards. Only the address differs between shards.
type Redis struct {
	System             string   // name of the system that the shards belong to; empty means DefaultSystem
	Addrs              []string // by shard index: host:port, or the nodes of a replicated shard, see Nodes
	Username, Password string
	DB                 int
	TLS                bool
	Durable            string        // DurableAlways, Unchecked or Engine; "" means DurableAlways
	Disk               int64         // size of each shard's disk in bytes; 0: unknown
	KeyLimit           int           // the largest number of idempotency keys on one shard; 0 means DefaultKeyLimit
	CallerWait         time.Duration // how long an empty shard waits for a report of the services that call this service
}

// DefaultKeyLimit is the default of IDEMPOTENCY_KEY_LIMIT.
const DefaultKeyLimit = 1_000_000

// callerWait is how long an empty shard waits for a report of a caller. Callers reach a new instance sooner, even on
// Kubernetes.
const callerWait = 10 * time.Second

// Values of REDIS_DURABLE.
const (
	DurableAlways = "always"    // check that Redis acknowledges only writes that are on disk
	Unchecked     = "unchecked" // do not check the settings of Redis
	Engine        = "engine"    // each shard is a cluster that replicates synchronously, see docs/replication.md
)

// Variable documents one environment variable, or several variables with the same meaning.
type Variable struct{ Name, Meaning, Default string }

// Variables lists every variable that Parse reads, in the order of the table in docs/deploy.md.
var Variables = []Variable{
	{
		"ORDER_SERVICE_URL, STOCK_SERVICE_URL, PAYMENT_SERVICE_URL",
		"`http://host:port/` of the peer's internal port, or several, comma-separated; the service uses every " +
			"address that a name resolves to, balances the load and fails over",
		"required where used",
	},
	{
		"REDIS_ADDRS",
		"`host:port[,host:port…]`, one per shard, in shard order; a replicated shard has three nodes: " +
			"`a0:6379+a1:6379+a2:6379`",
		"required",
	},
	{
		"SYSTEM_NAME",
		"the name of this system, stored in each Redis; a service refuses the Redis of another system",
		DefaultSystem,
	},
	{"REDIS_PASSWORD", "the password of every shard", "empty"},
	{"REDIS_USERNAME", "the user name of every shard", "empty"},
	{"REDIS_DB", "the database number of every shard", "0"},
	{"REDIS_TLS", "1: use TLS for every shard; SSL_CERT_FILE can name a file with further CAs", "0"},
	{
		"REDIS_DURABLE",
		"`always`: do not use a Redis whose settings may lose acknowledged writes, or cannot be read with CONFIG GET; " +
			"`unchecked`: use every Redis, for development and for a managed Redis that you have checked yourself; " +
			"`engine`: each address leads to a managed service with synchronous durability, a cluster with one shard, and " +
			"you vouch for its durability",
		"always",
	},
	{"REDIS_DISK", "the size of the disk of each shard, such as `10Gi`; only for an alert", "empty: unknown"},
	{"MACHINE_ID", "`i/N`: instance i of N, i from 1; N instances can serve any number of shards", "required"},
	{"PORT", "the public port", "5000"},
	{
		"INTERNAL_PORT",
		"the internal port: transaction steps and health; only peers may reach it",
		"5001",
	},
	{"METRICS_PORT", "the monitoring port: metrics, profiles and health", "5002"},
	{"BIND", "the IP address that all three ports bind to", "every address"},
	{
		"INTERNAL_TOKEN",
		"a secret of at least 16 characters that all services share, or several, comma-separated: the first one is sent " +
			"to peers, and every one is accepted; an empty element means that requests without a token are also accepted " +
			"(`new,`)",
		"empty: no token is needed",
	},
	{
		"ALLOWED_HOSTS",
		"names in the Host header that are accepted, comma-separated: `shop.example`, `*.shop.example` or `*` for every " +
			"name. IP addresses, names without a dot, and names below `localhost`, `internal`, `svc` and " +
			"`cluster.local` are always accepted",
		"empty",
	},
	{
		"CORS_ORIGINS",
		"origins of browser apps that may use the API, comma-separated: `https://shop.example`; no IPv6 addresses",
		"empty: only the pages of the gateway itself",
	},
	{"CLIENT_TRACES", "1: continue the traces that clients name in `traceparent`, with their sampling", "0"},
	{"BATCH_INIT", "0: reject batch_init, which overwrites data", "1"},
	{"BATCH_LIMIT", "the largest number of objects that one batch_init writes, up to 10000000", "1000000"},
	{
		"IDEMPOTENCY_KEY_LIMIT",
		"the largest number of idempotency keys that one shard stores for 24 hours, about 200 bytes each", "1000000",
	},
	{
		"CONSOLE",
		"0: the console is read-only and shows no IDs; `demo`, only for `make up`: it can also kill and stop components",
		"1",
	},
	{
		"DEMO_URL, DEMO_TOKEN",
		"the control port of `make up CONSOLE=demo` and its token; `make up` sets both, for the order service only",
		"empty",
	},
	{
		"LISTS",
		"0: the routes that list objects or return a history respond with 404, and no index is written for lists",
		"the value of CONSOLE, because lists show IDs to all clients",
	},
	{"WDM_DEBUG", "1: log every request and response", "0"},
	{"LOG_FORMAT", "`text` or `json`", "text"},
	{
		"OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
		"the collector that receives traces as OTLP over HTTP, for example `http://jaeger:4318`; the service " +
			"appends `/v1/traces` to the first",
		"empty: no traces",
	},
	{"OTEL_EXPORTER_OTLP_HEADERS", "headers of each request to the collector, `name=value,…`", "empty"},
	{"OTEL_EXPORTER_OTLP_PROTOCOL", "`http/protobuf`, the only supported protocol", "http/protobuf"},
	{"OTEL_SDK_DISABLED", "`true`: no traces", "false"},
	{
		"OTEL_TRACES_SAMPLER, OTEL_TRACES_SAMPLER_ARG",
		"which requests to trace: a sampler of OpenTelemetry, such as `traceidratio`, and its ratio from 0 to 1",
		"parentbased_always_on, 1",
	},
	{"GIN_MODE", "`debug` or `release`", "debug; every shipped manifest sets release"},
}

// Peer is a service that another service calls.
type Peer string

// The peers. Each value is the prefix of an environment variable, such as ORDER_SERVICE_URL.
const (
	Order   Peer = "ORDER"
	Stock   Peer = "STOCK"
	Payment Peer = "PAYMENT"
)

// Parse reads and validates the variables with getenv, which is usually os.Getenv. It requires the URLs of the given
// peers and ignores the URLs of other services. The error joins one error per invalid value.
func Parse(getenv func(string) string, peers ...Peer) (Config, error) {
	p := parser{getenv: getenv}
	c := Config{
		Redis: Redis{
			System:     p.name("SYSTEM_NAME", DefaultSystem),
			Addrs:      p.addrs("REDIS_ADDRS"),
			Username:   getenv("REDIS_USERNAME"),
			Password:   getenv("REDIS_PASSWORD"),
			DB:         p.number("REDIS_DB", 0, 0, 1<<15),
			TLS:        p.flag("REDIS_TLS", false),
			Durable:    p.choice("REDIS_DURABLE", DurableAlways, Unchecked, Engine),
			Disk:       p.size("REDIS_DISK"),
			KeyLimit:   p.number("IDEMPOTENCY_KEY_LIMIT", DefaultKeyLimit, 1, 1e9),
			CallerWait: callerWait,
		},
		Bind:         getenv("BIND"),
		Port:         p.number("PORT", 5000, 0, 65535),
		InternalPort: p.number("INTERNAL_PORT", 5001, 0, 65535),
		MetricsPort:  p.number("METRICS_PORT", 5002, 0, 65535),
		Access:       p.access(),
		Debug:        p.flag("WDM_DEBUG", false),
		BatchInit:    p.flag("BATCH_INIT", true),
		BatchLimit:   p.number("BATCH_LIMIT", 1_000_000, 1, shard.MaxDecimal),
		LogJSON:      p.choice("LOG_FORMAT", "text", "json") == "json",
		Traces:       p.traces(),
		Console:      p.flag("CONSOLE", true),
		Demo:         p.demo(),
	}
	p.engine(c.Redis)
	c.Lists = p.flag("LISTS", c.Console)
	c.Instance, c.Instances = p.instance("MACHINE_ID")
	for _, peer := range peers {
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
		p.reject("BIND", "%q is not an IP address", c.Bind)
	}
	if c.Port == c.InternalPort && c.Port != 0 {
		p.reject("INTERNAL_PORT", "%d equals PORT: the ports must differ", c.Port)
	}
	if c.MetricsPort != 0 && (c.MetricsPort == c.Port || c.MetricsPort == c.InternalPort) {
		p.reject("METRICS_PORT", "%d equals PORT or INTERNAL_PORT: the ports must differ", c.MetricsPort)
	}
	p.ginMode()
	return c, errors.Join(p.errs...)
}

type parser struct {
	getenv func(string) string
	errs   []error
}

// reject records an error for the value of a variable.
func (p *parser) reject(name, format string, args ...any) {
	p.errs = append(p.errs, fmt.Errorf("%s: %s", name, fmt.Sprintf(format, args...)))
}

func (p *parser) number(name string, fallback, low, high int) int {
	s := p.getenv(name)
	if s == "" {
		return fallback
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < low || n > high {
		p.reject(name, "%q is not an integer from %d to %d", s, low, high)
		return fallback
	}
	return n
}

func (p *parser) flag(name string, fallback bool) bool {
	switch s := p.getenv(name); s {
	case "":
		return fallback
	case "0":
		return false
	case "1":
		return true
	default:
		p.reject(name, "%q is neither 0 nor 1", s)
		return fallback
	}
}

// choice returns the value of a variable that must have one of the allowed values. The first one is the default.
func (p *parser) choice(name string, allowed ...string) string {
	s := p.getenv(name)
	if s == "" {
		return allowed[0]
	}
	if !slices.Contains(allowed, s) {
		p.reject(name, "%q is not one of %s", s, strings.Join(allowed, ", "))
	}
	return s
}

func (p *parser) instance(name string) (instance, instances int) {
	s := p.getenv(name)
	if s == "" {
		p.reject(name, "is missing: set i/N for instance i of N, such as 1/3")
		return 0, 0
	}
	left, right, _ := strings.Cut(s, "/")
	instance, err1 := strconv.Atoi(left)
	instances, err2 := strconv.Atoi(right)
	if err1 != nil || err2 != nil || instance < 1 || instance > instances || instances > shard.Max {
		p.reject(name, "%q is not of the form i/N, with i from 1 to N and N at most %d", s, shard.Max)
		return 0, 0
	}
	return instance, instances
}
