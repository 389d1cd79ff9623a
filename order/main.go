package main

import (
	"context"
	"fmt"
	"io"
	"sync"

	"checkout/common/cluster"
	"checkout/common/env"
	"checkout/common/participant"
	"checkout/common/peer"
	"checkout/common/trace"
	"checkout/common/web"
)

// service is the name by which the peers know this one.
const service = "order"

func main() { web.Main(run) }

// run serves until ctx ends; `order healthcheck` asks the running service whether it is ready.
func run(ctx context.Context, args []string, getenv func(string) string, stdout io.Writer) error {
	cfg, err := env.Parse(getenv, env.Stock, env.Payment)
	if err != nil {
		return fmt.Errorf("the environment of %s:\n%w", service, err)
	}
	if len(args) == 2 && args[1] == "healthcheck" {
		return web.Healthcheck(ctx, cfg.Bind, cfg.InternalPort)
	}
	web.SetLogger(stdout, cfg.Debug, cfg.LogJSON)
	sendTraces, err := trace.Start(ctx, service, fmt.Sprint(cfg.Instance), trace.Collector(cfg.Traces))
	if err != nil {
		return err
	}
	defer sendTraces()

	db := cluster.Open(service, cfg.Redis, scripts)
	defer db.Close()
	stock, payment := peer.New("stock", cfg.StockPeers), peer.New("payment", cfg.PaymentPeers)
	defer stock.Close()
	defer payment.Close()

	co := newCoordinator(&store{db}, participant.NewClient(stock), participant.NewClient(payment))
	s := &server{
		machine:    fmt.Sprintf("%d/%d", cfg.Instance, cfg.Instances),
		store:      co.store,
		catalogue:  newCatalogue(stock),
		co:         co,
		canceller:  &canceller{coordinator: co},
		mint:       db.NewMinter(cfg.Instance, cfg.Instances),
		allowBatch: cfg.BatchInit,
		editable:   cfg.Console,
	}
	srv := web.NewServer(cfg.Debug)
	s.answered = srv.Responses
	s.routes(srv.Public, srv.Internal)
	srv.HandleReadiness(func() []string {
		missing := db.Unavailable()
		for _, p := range []*peer.Peer{stock, payment} {
			if problem := p.Unavailable(); problem != "" {
				missing = append(missing, problem)
			}
		}
		return missing
	}, func() bool { return db.Probed() && stock.Probed() && payment.Probed() })
	srv.HandleMetrics(service, db, stock, payment, co.counts, newBacklog(co.store))

	recovering, stop := context.WithCancel(context.Background())
	var recovered sync.WaitGroup
	recovered.Go(func() { newRecovery(co).run(recovering) })
	err = srv.Serve(ctx, web.JoinHostPorts(cfg.Bind, cfg.Port, cfg.InternalPort))
	stop()
	recovered.Wait()
	return err
}
