package faultproxy

import (
	"os"
	"path/filepath"
	"strings"

	"checkout/common/redisdb"
	"checkout/test/stack"
)

// ScriptNames maps the SHA-1 of every script to its name; "<name> once" is a script as it runs for an idempotency key.
func ScriptNames() (map[string]string, error) {
	root, err := stack.Root()
	if err != nil {
		return nil, err
	}
	names := map[string]string{}
	for _, pattern := range []string{"*/lua/*.lua", "common/*/lua/*.lua"} {
		files, _ := filepath.Glob(filepath.Join(root, pattern))
		for _, file := range files {
			name := strings.TrimSuffix(filepath.Base(file), ".lua")
			script := redisdb.MustScript(os.DirFS(filepath.Dir(filepath.Dir(file))), name)
			names[script.SHA()], names[script.Once().SHA()] = name, name+" once"
		}
	}
	return names, nil
}
