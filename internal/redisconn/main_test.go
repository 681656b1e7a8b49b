package redisconn

import (
	"testing"

	"github.com/workflow-bolt/rounds/internal/redistest"
)

func TestMain(m *testing.M) { redistest.Main(m) }
