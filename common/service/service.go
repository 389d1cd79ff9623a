// Package service runs an instance of a service: it starts and stops the instance and serves the routes that all three
// services share.
package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"

	"checkout/common/api"
	"checkout/common/cluster"
	"checkout/common/env"
	"checkout/common/events"
	"checkout/common/peer"
	"checkout/common/redis"
	"checkout/common/trace"
	"checkout/common/version"
	"checkout/common/web"
)

// Definition describes one of the three services.
type Definition struct {
	Name    string     // "order", "stock" or "payment"
	Prefix  string     // prefix of the paths at the gateway, such as "/orders"; the gateway strips the prefix
	Peers   []env.Peer // the services that this service calls
	Scripts []*redis.Script
	Setup   func(*Service) // adds the routes, collectors and background work of the service
}

// Service is one instance of a service.
type Service struct {
	Name    string
	Config  env.Config
	Cluster *cluster.Cluster
	Minter  *cluster.Minter
	*web.Server
	SagaOverview func(context.Context) *api.SagaOverview // nil, except in the order service
	started      time.Time
	peers        []*peer.Peer
	collectors   []prometheus.Collector
	background   []func(context.Context)
}

// Run runs an instance of the service until ctx ends. The arguments can select another command; see help.
func (d Definition) Run(ctx context.Context, args []string, getenv func(string) string, stdout io.Writer) error {
	command, err := d.parseArgs(args)
	if err != nil {
		return err
	}
	switch command {
	case "help":
		_, err := io.WriteString(stdout, d.help())
		return err
	case "version":
		_, err := fmt.Fprintln(stdout, version.Line(d.Name))
		return err
	}
	config, err := env.Parse(getenv, d.Peers...)
	if err != nil {
		return fmt.Errorf("parse the environment of %s:\n%w", d.Name, err)
	}
	if command == "healthcheck" {
		return web.Healthcheck(ctx, config.Bind, config.InternalPort)
	}
	if command == adoptShard {
		return cluster.AdoptAll(ctx, d.Name, config.Redis, args[2:], stdout)
	}
	SetLogger(stdout, d.Name, instance(config), config.Debug, config.LogJSON)
	if err := d.serve(ctx, config); err != nil {
		slog.Error("the instance failed", "error", err)
		return errors.Join(errLogged, err)
	}
	return nil
}

// errLogged means that Run has already logged its error.
var errLogged = errors.New("the instance failed")

func (d Definition) serve(ctx context.Context, config env.Config) error {
	stopTraces, err := trace.Start(ctx, d.Name, fmt.Sprint(config.Instance), trace.Collector(config.Traces))
	if err != nil {
		return err
	}
	defer stopTraces()
	c := cluster.Open(d.Name, config.Redis, d.Scripts)
	defer c.Close()
	s := New(d, config, c)
	defer s.Close()
	return s.serve(ctx)
}

// New returns an instance of a service that uses the shards of the given cluster. The instance does not listen yet.
func New(d Definition, config env.Config, c *cluster.Cluster) *Service {
	s := &Service{
		Name: d.Name, Config: config, Cluster: c, started: time.Now(),
		Minter: c.NewMinter(config.Instance, config.Instances), Server: web.NewServer(config.Debug),
	}
	c.Events().Add(api.Event{Kind: events.InstanceStarted, Service: d.Name, Detail: version.Get()})
	s.Restrict(web.Access(config.Access))
	s.Public.GET("/ping", web.JSON(s.Ping))
	s.Public.GET("/overview", web.JSON(s.overview))
	s.Public.GET("/overview/:instance", web.JSON(s.overviewOf))
	s.Monitoring.GET("/overview", web.JSON(s.fullOverview))
	s.Internal.Use(func(c *gin.Context) { c.Header(peer.ShardsHeader, s.Cluster.IdentityDigest()) })
	s.Internal.GET(peer.ShardMapPath, web.JSON(s.shardMap))
	s.ClientPath = func(path string) string { return d.Prefix + path }
	d.Setup(s)
	s.HandleReadiness(s.Unavailable, c.Unfit, s.probed)
	s.HandleMetrics(d.Name, s.allCollectors()...)
	s.HandleHead()
	return s
}

// serve runs the background work and serves all ports until ctx ends. Then it stops the background work.
func (s *Service) serve(ctx context.Context) error {
	working, stop := context.WithCancel(context.Background())
	var workers sync.WaitGroup
	for _, work := range s.background {
		workers.Go(func() { work(working) })
	}
	err := s.Serve(ctx, web.JoinHostPorts(s.Config.Bind, s.Config.Port, s.Config.InternalPort, s.Config.MetricsPort))
	stop()
	workers.Wait()
	return err
}

// Peer returns the client of another service at the given hosts (host:port). Service.Close closes the client.
func (s *Service) Peer(name string, hosts []string) *peer.Peer {
	token := ""
	if tokens := s.Config.Access.Tokens; len(tokens) > 0 {
		token = tokens[0]
	}
	p := peer.New(name, hosts, web.Authorization(token), s.Cluster, s.Cluster.Events())
	s.peers = append(s.peers, p)
	return p
}

// Collect adds collectors to the metrics of the service.
func (s *Service) Collect(c ...prometheus.Collector) { s.collectors = append(s.collectors, c...) }

// Background adds a function that runs while the service accepts requests. The function must return soon after its
// context ends.
func (s *Service) Background(work func(context.Context)) { s.background = append(s.background, work) }

// Close closes the clients that Peer has returned.
func (s *Service) Close() {
	for _, p := range s.peers {
		p.Close()
	}
}

func (s *Service) allCollectors() []prometheus.Collector {
	all := append([]prometheus.Collector{s.Cluster}, s.collectors...)
	for _, p := range s.peers {
		all = append(all, p)
	}
	return all
}

// Unavailable lists the reasons why the service is not ready: unavailable shards and peers.
func (s *Service) Unavailable() []string {
	unavailable := s.Cluster.Unavailable()
	for _, p := range s.peers {
		if problem := p.Unavailable(); problem != "" {
			unavailable = append(unavailable, p.Service()+": "+problem)
		}
	}
	return unavailable
}

// probed reports whether every shard and every peer has completed its first health check.
func (s *Service) probed() bool {
	for _, p := range s.peers {
		if !p.Probed() {
			return false
		}
	}
	return s.Cluster.Probed()
}

// unfit lists the reasons why callers should prefer other instances.
func (s *Service) unfit() []string {
	if !s.Cluster.Probed() {
		return []string{web.Starting}
	}
	return s.Cluster.Unfit()
}

// Instance returns "i/N", as in MACHINE_ID.
func (s *Service) Instance() string { return instance(s.Config) }

func instance(config env.Config) string {
	return fmt.Sprintf("%d/%d", config.Instance, config.Instances)
}

// Ping returns the number of the instance and the health of its shards.
func (s *Service) Ping(*gin.Context) (api.Ping, error) {
	return api.Ping{Service: s.Name, Instance: s.Instance(), Shards: s.Cluster.States()}, nil
}

func (s *Service) shardMap(c *gin.Context) (api.ShardMap, error) {
	s.Cluster.ReceiveReport(c.GetHeader(peer.KnownHeader))
	return api.ShardMap{
		Service: s.Name, Shards: len(s.Cluster.Shards()), Modulus: s.Cluster.Modulus(), Identities: s.Cluster.Identities(),
		Unfit: s.unfit(),
	}, nil
}
