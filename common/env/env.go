// Package env parses and validates the environment variables of a service.
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

// Config is the configuration of a service. Variables documents each variable.
type Config struct {
	Instance, Instances int // i and N of MACHINE_ID "i/N"; i counts from 1
	Redis               Redis
	Bind                string // the address of both listeners; empty for every address
	Port                int    // the public port
	InternalPort        int
	Debug               bool // log every request and response
	BatchInit           bool // allow batch_init, which overwrites data
	Console             bool // let the console change data
	LogJSON             bool
	Traces              Traces
	OrderPeers          []string // host:port of the internal port of each order instance
	StockPeers          []string
	PaymentPeers        []string
}

// Redis configures the connections to the shards. Only the address differs between shards.
type Redis struct {
	Addrs              []string // host:port by shard index
	Username, Password string
	DB                 int
	TLS                bool
}

// Traces configures the export of spans. The zero value disables it.
type Traces struct {
	URL     string            // the complete URL of an OTLP collector
	Headers map[string]string // sent with each request
}

// Variable documents one environment variable, or several with the same meaning.
type Variable struct{ Name, Meaning, Default string }

// Variables lists every variable that Parse reads, in the order of the table in docs/deploy.md.
var Variables = []Variable{
	{
		"ORDER_SERVICE_URL, STOCK_SERVICE_URL, PAYMENT_SERVICE_URL",
		"`http://host:port/` of the peer's internal port, or several, comma-separated; the service uses every " +
			"address that a name resolves to, balances the load and fails over",
		"required where used",
	},
	{"REDIS_ADDRS", "`host:port[,host:port…]`, one per shard, in shard order", "required"},
	{"REDIS_PASSWORD", "the password of every shard", "empty"},
	{"REDIS_USERNAME", "the user name of every shard", "empty"},
	{"REDIS_DB", "the database number of every shard", "0"},
	{"REDIS_TLS", "1: use TLS for every shard", "0"},
	{"MACHINE_ID", "`i/N`: instance i of N, i from 1; N instances can serve any number of shards", "required"},
	{"PORT", "the public port", "5000"},
	{
		"INTERNAL_PORT",
		"the internal port: transaction steps, health, metrics, profiles; the gateway does not route to it",
		"5001",
	},
	{"BIND", "the IP address that both ports bind to", "every address"},
	{"BATCH_INIT", "0: reject batch_init, which overwrites data", "1"},
	{"CONSOLE", "0: the console is read-only", "1"},
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
	{"GIN_MODE", "`debug` or `release`", "release in every shipped manifest"},
}

// Peer is a service that another one calls.
type Peer string

// The peers. Each value is the prefix of an environment variable, such as ORDER_SERVICE_URL.
const (
	Order   Peer = "ORDER"
	Stock   Peer = "STOCK"
	Payment Peer = "PAYMENT"
)

// Parse reads and validates the variables with getenv, which is usually os.Getenv. It requires the URLs of the given
// peers and ignores the URLs of other services. The error joins one error per invalid variable.
func Parse(getenv func(string) string, peers ...Peer) (Config, error) {
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
		p.reject("INTERNAL_PORT", "%d equals PORT: the two ports must differ", c.Port)
	}
	p.choice("GIN_MODE", "debug", "release", "test")
	return c, errors.Join(p.errs...)
}

type parser struct {
	getenv func(string) string
	errs   []error
}

// reject records that the value of a variable is invalid.
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

// choice returns the value of a variable. The value must be one of words, and the first word is the default.
func (p *parser) choice(name string, words ...string) string {
	s := p.getenv(name)
	if s == "" {
		return words[0]
	}
	if !slices.Contains(words, s) {
		p.reject(name, "%q is not one of %s", s, strings.Join(words, ", "))
	}
	return s
}

func (p *parser) instance(name string) (instance, instances int) {
	s := p.getenv(name)
	if s == "" {
		p.reject(name, "is missing: set i/N, the number of this instance and of all, such as 1/3")
		return 0, 0
	}
	left, right, _ := strings.Cut(s, "/")
	instance, err1 := strconv.Atoi(left)
	instances, err2 := strconv.Atoi(right)
	if err1 != nil || err2 != nil || instance < 1 || instance > instances || instances > shard.Max {
		p.reject(name, "%q is not of the form i/N, with i from 1 to N", s)
		return 0, 0
	}
	return instance, instances
}

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

func isHostPort(s string) bool {
	host, port, err := net.SplitHostPort(s)
	if err != nil || host == "" || strings.ContainsAny(host, " \t/@") {
		return false
	}
	n, err := strconv.Atoi(port)
	return err == nil && n >= 1 && n <= 65535
}
