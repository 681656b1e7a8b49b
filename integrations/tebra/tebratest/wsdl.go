package tebratest

import "net/http"

func (s *Server) serveWSDL(w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) }
