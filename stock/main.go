package main

import (
	"context"
	"fmt"
	"io"
	"slices"

	"checkout/common/cluster"
	"checkout/common/env"
	"checkout/common/participant"
	"checkout/common/trace"
	"checkout/common/web"
)

func main() { web.Main(run) }

// run serves until ctx ends; "healthcheck" as the first argument asks the machine that already runs here instead.
func run(ctx context.Context, args []string, getenv func(string) string, stdout io.Writer) error {
	cfg, err := env.Parse(getenv)
	if err != nil {
		return err
	}
	if len(args) > 1 && args[1] == "healthcheck" {
		return web.Healthcheck(ctx, cfg.Bind, cfg.InternalPort)
	}
	web.SetLogger(stdout, cfg.Debug, cfg.LogJSON)
	sendTraces, err := trace.Start(ctx, service, fmt.Sprint(cfg.Instance), trace.Collector(cfg.Traces))
	if err != nil {
		return err
	}
	defer sendTraces()
	db := cluster.Open(service, cfg.Redis, slices.Concat(scripts, participant.Scripts))
	defer db.Close()
	s := &server{
		db:           db,
		items:        &store{db: db, ids: db.NewMinter(cfg.Instance, cfg.Instances)},
		machine:      fmt.Sprintf("%d/%d", cfg.Instance, cfg.Instances),
		batchAllowed: cfg.BatchInit,
	}
	srv := web.NewServer(cfg.Debug)
	s.routes(srv)
	return srv.Serve(ctx, web.JoinHostPorts(cfg.Bind, cfg.Port, cfg.InternalPort))
}
