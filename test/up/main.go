// Command up runs the whole system on this host: `make up`.
//
// It installs redis-server and nginx if they are missing, builds the services, and starts everything on fixed ports. It
// prints example requests and restarts components that crash. It stops gracefully on Ctrl-C or SIGTERM. A second Ctrl-C
// kills everything at once.
//
// Environment variables, with their defaults:
//
//	MACHINES      1      instances of each service
//	SHARDS               shards of each service; default: MACHINES, or as many as DATA contains if that is more
//	GATEWAY_PORT  8000
//	DATA          data   directory of the data and the logs
//	ACCESS_LOG    0      1: the gateway logs every request to logs/nginx.log
//
// The command passes WDM_DEBUG, GIN_MODE and BATCH_INIT to the services.
//
// With -exec it starts a system on free ports with temporary data, and runs a shell command with GATEWAY_URL set. It
// exits with the status of the command. In this mode, LOGS is the directory for the logs. With -deps it only installs
// the packages that the tests need.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"checkout/test/stack"
)

const readyTimeout = 2 * time.Minute // Redis may have much data to load

func main() {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // nohup ignores SIGHUP
		signals = append(signals, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), signals...)
	context.AfterFunc(ctx, stop) // a second signal kills this process and its children
	err := run(ctx, os.Args[1:], os.Getenv, os.Stdout)
	var failed *exec.ExitError
	switch {
	case errors.As(err, &failed) && failed.ExitCode() > 0:
		os.Exit(failed.ExitCode())
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, getenv func(string) string, stdout io.Writer) error {
	flags := flag.NewFlagSet("up", flag.ContinueOnError)
	command := flags.String("exec", "", "run this shell `command` against a temporary system at GATEWAY_URL")
	deps := flags.Bool("deps", false, "only install the packages that the tests need")
	race := flags.Bool("race", false, "build the services with the race detector")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *deps {
		return stack.Install(ctx, stdout, stack.TestPackages())
	}
	cfg, err := config(getenv)
	if err != nil {
		return err
	}
	cfg.Race = *race
	if err := stack.Install(ctx, stdout, stack.SystemPackages()); err != nil {
		return err
	}
	if *command != "" {
		cfg.Progress = os.Stderr
		return execute(ctx, cfg, *command, stdout)
	}
	cfg.FixedPorts = true
	return serve(ctx, cfg, stdout)
}

// config reads the configuration from the environment. The error lists all invalid variables.
func config(getenv func(string) string) (stack.Config, error) {
	var errs []error
	number := func(key string, fallback, highest int) int {
		text := getenv(key)
		if text == "" {
			return fallback
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > highest {
			errs = append(errs, fmt.Errorf("%s: %q is not a number from 1 to %d", key, text, highest))
		}
		return n
	}
	cfg := stack.Config{
		Instances:   number("MACHINES", 1, 99),
		Shards:      number("SHARDS", 0, 99),
		GatewayPort: number("GATEWAY_PORT", 0, 65535),
		Dir:         getenv("DATA"),
		Logs:        getenv("LOGS"),
		Env:         map[string][]string{},
	}
	switch text := getenv("ACCESS_LOG"); text {
	case "", "0":
	case "1":
		cfg.Listen = "access_log /dev/stdout json buffer=64k flush=1s;\n"
	default:
		errs = append(errs, fmt.Errorf("ACCESS_LOG: %q is not 0 or 1", text))
	}
	for _, key := range []string{"WDM_DEBUG", "GIN_MODE", "BATCH_INIT"} {
		if value := getenv(key); value != "" {
			cfg.Env[""] = append(cfg.Env[""], key+"="+value)
		}
	}
	return cfg, errors.Join(errs...)
}

// execute runs a command against a temporary system.
func execute(ctx context.Context, cfg stack.Config, command string, stdout io.Writer) (err error) {
	cfg.Dir = "" // never use existing data
	s, err := stack.Start(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	ready, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	if err := s.WaitReady(ready); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", command)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	cmd.Env = append(os.Environ(), "GATEWAY_URL="+s.Gateway())
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, stdout, os.Stderr
	return cmd.Run()
}
