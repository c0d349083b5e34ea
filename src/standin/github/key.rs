//! An example App's key.

use serde_json::json;

/// The private key (RSA, PEM, PKCS#1) of an App that exists in stand-ins only: for tests and for the demo. It was made
/// for that, stands here for everybody to read, and opens nothing anywhere.
pub const EXAMPLE_APP_KEY: &str = "\
-----BEGIN RSA PRIVATE KEY-----
MIIEpAIBAAKCAQEAtofj0PU0unLnChCyaJApFQoRdRNS0i0VnkyE2x1SQeUYHGTr
149d8Iu28Gr7AoSn7h3QF2PNs5RWNZwr7luZ0aGW+G1p5UPLHaaITlyxeQtQbpDr
+zOTALw6Q5he7N0Fry9atZ59vabegZxopwr3wZcG7RaKlcuEJXAI+AIijVX5DQ6l
oy6AxoOMhV6+4tGnojjEKrgWNuvhp3ltYIcuP4znCgjXp6ZyDzWdS/9i7wu3FnJN
6FnjtJhYsqQIefreXwN0INfDpRAHyvj+0+jETR65lMNbBpAYbl/RLi5TorEeQu66
JohGkq2lr0zSaEF12aBLP3i9xby9xirzlsa4rwIDAQABAoIBABFPS7x6NHjmAqEC
uliOK0cygDtRDM6fteggK40396AGIMY4j+EOWINCTKP6ETnI6L/9FcnSDiTUkWRe
HhBpoWmu4ElI3vz989oo+84qni3zc7o4hhh5aJxuPTxBy+a8gxh87iZBFH2SwJEc
CxSkRqCWOPLs61GPTkXanQ8f7LToZAjzMHRTAT2XDMAben9Sr67LO76N582+IWVo
0Hi/MGib1lxdJgT/17PQNo3tZOa5L3EBPJNNq++6dtSfkR8sn9tiqpnghTgyqugF
yCxaasHFQLz9xWCOUXxXLg74NlJnCox3Wf8i8yFBd8cy5gdpaviovv6e653Fptci
lI2UpGECgYEA8WgIWhbKEY9Z+GcSLZZA+sZDFPPizP+WxbWUfUDnqUru99rnGE0D
7ZwifNYsM4kQgczLMj++ccGK6D8kIC/dWOU94il0kLv/tocqY6YVQNsuxQ0CnbQD
2td25JkJ1ZaVlX/7nDPrzx4s3C+pHkFLyHjOWtGIkkNc1W+ub69cxLECgYEAwZC1
Vrsqf0FdoStY29I4pomKZtnWy5ledCcvtDWM75tDpUeeihaifQyjErJgmYq4RDtp
/5Xlfv2KJD6tRNB9Xuu5iwYg9dYUWY6UuaePwBHr5cYiwhZMZLGIZeIIzNxk0H6o
31FaGPSKTP4wxbpSTJ4/O3a3HHI3g/cHwKdQK18CgYEAkLTw1Lf2duI8Z1e5oNQB
rZFtIsEzQfkv8uHu2covU97UMoTopDt+UE+YqMZlhprx5yzQ3RUy3tPKpX8784Nd
puz71HdPJXdcSJjrgwJKmS8J8RrkZ45CBUvFPDC0oXD7x7sJI1BIWUZYU8DKGpW/
jLNF11DlEfAJVPP2V4KCFHECgYAm/5TJiKQjR3QpyKX6g/xN8WAlILaaBqh1FoAR
+sgObmXOowNaJv1N3IHufmngBYbimGXezMCUOVjfvJEEUE0yFqQnUnDJlvw6nvNw
BEZ+GB5DCQxvtjZmAy7L+CJ1w+G78AjuFWHlrT9AC+afr85tCWUMAfsajBiLSfYR
5qPMWQKBgQDGsMtxCuKeSY8Uw8Q+9VBn6x8zw16j6fdtA40sHYKleOo6mfjum4ml
2dJZ/sGRduWH3QiKthznEFm5PGBPqywdSCAH+LaqNOKdn52MsgK2hwOClFvbSn1X
K0f+iA6xsU1hSyEpGgLgc4tga6tVhglDCFi0lYldcjE5Ck0ZdeEyJA==
-----END RSA PRIVATE KEY-----
";

/// What the setting for the token is to hold so that a client acts as the App with this id and the example's key.
pub fn example_app_credentials(app: u64) -> String {
    json!({"app_id": app, "private_key": EXAMPLE_APP_KEY}).to_string()
}
