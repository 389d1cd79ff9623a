package tap

import (
	"crypto/sha1"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"

	"checkout/test/stack"
)

// ScriptNames maps the SHA-1 of every script to its name.
func ScriptNames() (map[string]string, error) {
	root, err := stack.Root()
	if err != nil {
		return nil, err
	}
	names := map[string]string{}
	for _, pattern := range []string{"*/lua/*.lua", "common/*/lua/*.lua"} {
		files, _ := filepath.Glob(filepath.Join(root, pattern))
		for _, file := range files {
			source, err := os.ReadFile(file)
			if err != nil {
				return nil, err
			}
			sum := sha1.Sum(source)
			names[hex.EncodeToString(sum[:])] = strings.TrimSuffix(filepath.Base(file), ".lua")
		}
	}
	return names, nil
}
