package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"

	"checkout/common/env"
	"checkout/common/service"
	"checkout/common/version"
	"checkout/common/web"
	"checkout/keeper/status"
)

func main() {
	redis.SetLogger(&logging.VoidLogger{}) // go-redis logs each failed dial; the keeper itself logs only the first one
	service.Main(run)
}

const usage = `keeper guards one Redis node of a replicated shard: the three keepers of a shard elect its primary.

  keeper              run until SIGTERM; a primary then hands over first
  keeper init         make the node of the running keeper the first primary of its shard, once; the node may have the
                      data of a single shard of the same service and index
  keeper init --if-needed
                      wait for the keepers, and do nothing if the shard has data of a primary; for deployments
  keeper status       print the state of the three nodes; exit with status 1 if no write can be acknowledged
  keeper handover     make another node the primary
  keeper healthcheck  exit with status 0 if the keeper with the same environment is ready
  keeper --version    print the version
  keeper --help       print this help

Environment:

`

// run runs the keeper or another command until ctx ends.
func run(ctx context.Context, args []string, getenv func(string) string, stdout io.Writer) error {
	command := strings.Join(args[min(1, len(args)):], " ")
	switch command {
	case "help", "-help", "--help", "-h":
		fmt.Fprint(stdout, usage)
		service.WriteVariables(stdout, env.KeeperVariables)
		return nil
	case "version", "-version", "--version":
		_, err := fmt.Fprintln(stdout, version.Line("keeper"))
		return err
	case "", "init", "init --if-needed", "status", "handover", "healthcheck":
	default:
		return service.UsageError("unexpected arguments %q; run keeper --help", command)
	}
	config, err := env.ParseKeeper(getenv)
	if err != nil {
		return fmt.Errorf("parse the environment of keeper:\n%w", err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // ignores the environment's proxy
	switch command {
	case "healthcheck":
		return web.Healthcheck(ctx, config.Bind, config.Port)
	case "status":
		return printStatus(ctx, config, client, stdout)
	case "init":
		return initialize(ctx, config, client, stdout)
	case "init --if-needed":
		return ensureInitialized(ctx, config, client, stdout)
	case "handover":
		return handOver(ctx, config, client, stdout)
	}
	service.SetLogger(stdout, "keeper", fmt.Sprintf("%s/%d", config.ShardName(), config.Node), false, config.LogJSON)
	return guard(ctx, config)
}

// guard runs the keeper.
func guard(ctx context.Context, config env.Keeper) error {
	lock, err := lockState(config.State)
	if err != nil {
		return err
	}
	defer lock.Close()
	k, err := newKeeper(config, slog.Default())
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(config.Bind, strconv.Itoa(config.Port)))
	if err != nil {
		return err
	}
	defer listener.Close()
	monitoring, err := net.Listen("tcp", net.JoinHostPort(config.Bind, strconv.Itoa(config.Metrics)))
	if err != nil {
		return err
	}
	defer monitoring.Close()
	slog.Info("serving", "addr", listener.Addr().String(), "monitoring", monitoring.Addr().String(),
		"redis", config.Redis.Addrs[0])
	return k.serve(ctx, listener, monitoring)
}

const statusTimeout = 2 * time.Second

func statuses(ctx context.Context, config env.Keeper, client *http.Client) []status.Node {
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	return status.GetAll(ctx, client, config.Keepers[:], config.Nodes[:])
}

func printStatus(ctx context.Context, config env.Keeper, client *http.Client, stdout io.Writer) error {
	nodes := statuses(ctx, config, client)
	status.Write(stdout, nodes)
	if !status.Healthy(nodes) {
		return fmt.Errorf("%s cannot acknowledge writes: it needs a primary and a replica", config.ShardName())
	}
	return nil
}

// handOver asks the keeper of the primary to hand over.
func handOver(ctx context.Context, config env.Keeper, client *http.Client, stdout io.Writer) error {
	for _, n := range statuses(ctx, config, client) {
		if n.Role == status.Primary {
			if err := command(ctx, config, client, config.Keepers[n.Node], "/handover"); err != nil {
				return fmt.Errorf("handover of %s: %w", config.ShardName(), err)
			}
			status.Write(stdout, statuses(ctx, config, client))
			return nil
		}
	}
	return fmt.Errorf("%s has no primary", config.ShardName())
}

// command sends a command to a keeper.
func command(ctx context.Context, config env.Keeper, client *http.Client, addr, path string) error {
	ctx, cancel := context.WithTimeout(ctx, handoverTimeout+initTimeout)
	defer cancel()
	return post(ctx, client, addr, path, config.Tokens[0], config.ShardName(), config.Node, struct{}{}, &struct{}{})
}
