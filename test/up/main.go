// Command up runs the whole system on this host: `make up`.
//
// The program installs the Redis server and nginx if they are missing, builds the services, and starts everything on
// fixed ports. It prints example requests and restarts components that crash. It stops gracefully on Ctrl-C or
// SIGTERM. A second Ctrl-C kills everything at once. SIGUSR1 stops the gateway and SIGUSR2 starts the gateway;
// test/up/backup sends these signals.
//
// Environment variables, with their defaults:
//
//	MACHINES      1      instances of each service
//	SHARDS               shards of each service; default: MACHINES, or the number of shards in DATA if it is larger
//	REPLICAS             Redis nodes of each shard, 1 or 3; default: as in DATA, otherwise 1
//	GATEWAY_PORT  8000
//	DATA          data   directory of the data and the logs
//	LOGS                 directory of the logs; default: logs in DATA
//	ACCESS_LOG    0      1: the gateway logs every request to nginx.log in this directory
//
// The services also get their own variables, such as BATCH_INIT and LOG_FORMAT: all variables in docs/deploy.md that
// this program does not set itself, and the variables of OpenTelemetry. With CONSOLE=demo, the program opens a control
// port for the console.
//
// With -exec, the program ignores DATA: it starts a system on free ports with temporary data, and runs a shell command
// with GATEWAY_URL set. It exits with the status of the command. With -deps, the program only installs packages:
// "-deps check" installs the packages for the checks, "-deps all" installs the packages for the checks and all tests.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"checkout/common/env"
	"checkout/common/version"
	"checkout/test/stack"
)

const (
	defaultDir   = "data"
	readyTimeout = 2 * time.Minute // Redis may have much data to load
)

func main() {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // nohup ignores SIGHUP
		signals = append(signals, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), signals...)
	context.AfterFunc(ctx, stop) // a second signal kills this process and its children
	os.Exit(exitStatus(run(ctx, os.Args[1:], os.Environ(), os.Stdout), os.Stderr))
}

// commandError is the error of the command that runs with -exec. The command has printed its own errors.
type commandError struct{ error }

func (e commandError) Unwrap() error { return e.error }

// exitStatus returns the exit status for an error. It prints the error, unless it is flag.ErrHelp, or the command of
// -exec has exited with a status of its own.
func exitStatus(err error, stderr io.Writer) int {
	var command commandError
	var failed *exec.ExitError
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	case errors.As(err, &command) && errors.As(command, &failed) && failed.ExitCode() > 0:
		return failed.ExitCode()
	}
	fmt.Fprintln(stderr, err)
	return 1
}

func run(ctx context.Context, args, environ []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("up", flag.ContinueOnError)
	flags.Usage = func() { fmt.Fprint(flags.Output(), usage); flags.PrintDefaults() }
	command := flags.String("exec", "", "run this shell `command` against a temporary system at GATEWAY_URL")
	deps := flags.String("deps", "", "only install the packages that these `targets` need: check or all")
	race := flags.Bool("race", false, "build the services with the race detector")
	if err := version.ParseFlags(flags, args, stdout); err != nil {
		return err
	}
	switch *deps {
	case "":
	case "check":
		return stack.Install(ctx, stdout, stack.CheckPackages())
	case "all":
		return stack.Install(ctx, stdout, stack.TestPackages())
	default:
		return fmt.Errorf("-deps: %q is neither check nor all", *deps)
	}
	cfg, err := config(environ)
	if err != nil {
		return err
	}
	cfg.Race = *race
	if *command == "" && cfg.Replicas == 0 {
		cfg.Replicas = stack.ReplicasIn(cmp.Or(cfg.Dir, defaultDir))
	}
	packages := stack.SystemPackages()
	if cfg.Replicas > 1 {
		packages = append(packages, stack.ReplicaPackages()...)
	}
	if err := stack.Install(ctx, stdout, packages); err != nil {
		return err
	}
	if *command != "" {
		cfg.Progress = os.Stderr
		return execute(ctx, cfg, *command, stdout)
	}
	cfg.FixedPorts = true
	return serve(ctx, cfg, stdout)
}

const usage = `up runs the whole system on this host. These variables configure it:

  MACHINES      instances of each service (1)
  SHARDS        shards of each service (MACHINES, or as many as DATA contains if that is more)
  REPLICAS      Redis nodes of each shard, 1 or 3 (as in DATA, otherwise 1)
  GATEWAY_PORT  the gateway's port (8000)
  DATA          directory of the data and the logs (data)
  LOGS          directory of the logs, if they are not in DATA
  ACCESS_LOG    1: the gateway logs every request to nginx.log in this directory (0)

It passes the variables of the services on; order --help lists them. Flags:

`

// config reads the configuration from the environment. The error lists all invalid variables.
func config(environ []string) (stack.Config, error) {
	vars := map[string]string{}
	for _, entry := range environ {
		key, value, _ := strings.Cut(entry, "=")
		vars[key] = value
	}
	var errs []error
	number := func(key string, fallback, highest int) int {
		text := vars[key]
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
		Dir:         vars["DATA"],
		Logs:        vars["LOGS"],
		Env:         map[string][]string{"": passedOn(environ)},
	}
	if v := version.Get(); v != "devel" {
		cfg.Version = v
	}
	switch text := vars["ACCESS_LOG"]; text {
	case "", "0":
	case "1":
		cfg.Listen = "access_log /dev/stdout json buffer=64k flush=1s;\n"
	default:
		errs = append(errs, fmt.Errorf("ACCESS_LOG: %q is not 0 or 1", text))
	}
	switch text := vars["REPLICAS"]; text {
	case "":
	case "1":
		cfg.Replicas = 1
	case "3":
		cfg.Replicas = stack.Copies
	default:
		errs = append(errs, fmt.Errorf("REPLICAS: %q is not 1 or 3", text))
	}
	return cfg, errors.Join(errs...)
}

// ownVariables are the variables of the services that this command sets itself or leaves at their defaults.
var ownVariables = []string{
	"ORDER_SERVICE_URL", "STOCK_SERVICE_URL", "PAYMENT_SERVICE_URL", "MACHINE_ID", "PORT", "INTERNAL_PORT",
	"METRICS_PORT", "BIND",
	"REDIS_ADDRS", "REDIS_PASSWORD", "REDIS_USERNAME", "REDIS_DB", "REDIS_TLS", "DEMO_URL", "DEMO_TOKEN",
}

// passedOn returns the entries of an environment that the services get, without empty variables:
//   - documented variables except ownVariables
//   - the variables of the OpenTelemetry SDK, and the proxies for its collector
func passedOn(environ []string) []string {
	documented := map[string]bool{
		"HTTP_PROXY": true, "HTTPS_PROXY": true, "NO_PROXY": true, "http_proxy": true, "https_proxy": true, "no_proxy": true,
	}
	for _, v := range env.Variables {
		for name := range strings.SplitSeq(v.Name, ", ") {
			documented[name] = !slices.Contains(ownVariables, name)
		}
	}
	return slices.DeleteFunc(slices.Clone(environ), func(entry string) bool {
		key, value, _ := strings.Cut(entry, "=")
		return value == "" || !documented[key] && !strings.HasPrefix(key, "OTEL_")
	})
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
	if err := cmd.Run(); err != nil {
		return commandError{err}
	}
	return nil
}
