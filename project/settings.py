"""Settings. Everything a deployment may want to change is read from the environment (see `.env.example`)."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from zoneinfo import ZoneInfo

from django.core.exceptions import ImproperlyConfigured
from django.templatetags.static import static

from project import environment as env

BASE_DIR = Path(__file__).resolve().parent.parent
env.load_file(BASE_DIR / ".env")

# State: the database, uploaded files, the generated secret key.
WIDGETS_HOME = Path(env.text("WIDGETS_HOME", str(BASE_DIR / "var"))).expanduser().resolve()
WIDGETS_FILES = WIDGETS_HOME / "files"
try:
    WIDGETS_FILES.mkdir(parents=True, exist_ok=True)
    SECRET_KEY = env.secret("SECRET_KEY", WIDGETS_HOME / "secret_key")
    # Older keys, with which sessions and the secrets of sources can still be read.
    SECRET_KEY_FALLBACKS = env.names("SECRET_KEY_FALLBACKS", [])
except OSError as error:
    raise ImproperlyConfigured(f"WIDGETS_HOME can't be used: {error}.") from None

# Files with secrets that sources name, as container platforms put them there.
WIDGETS_SECRETS_FOLDER = env.text("WIDGETS_SECRETS_FOLDER", "/run/secrets")

VERSION = "0.1.0"
DEBUG = env.flag("DEBUG", False)

# Where the server listens, whether with TLS of its own, and under which address Workspace reaches it.
HOST = env.text("HOST", "127.0.0.1")
PORT = int(env.number("PORT", 7779, least=1, most=65535))
HTTPS = env.flag("HTTPS", False)
PUBLIC_URL = env.url("PUBLIC_URL", f"http{'s' if HTTPS else ''}://{'127.0.0.1' if HOST == '0.0.0.0' else HOST}:{PORT}")  # noqa: S104  compared, not bound
ALLOWED_HOSTS = env.names("ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.origins("CSRF_TRUSTED_ORIGINS", [])
# Addresses of reverse proxies whose X-Forwarded-* headers are believed.
TRUSTED_PROXIES = env.names("TRUSTED_PROXIES", [])

# Pages that may call this backend from a browser: OpenBB Workspace, its desktop app, the Excel add-in.
CORS_ALLOWED_ORIGINS = env.origins(
    "CORS_ALLOWED_ORIGINS",
    [
        "https://pro.openbb.co",
        "https://pro.openbb.dev",
        "https://excel.openbb.co",
        "https://excel.openbb.dev",
        "http://localhost:1420",
        "http://localhost",
        "http://localhost:3000",
        "http://localhost:5050",
    ],
)
# Not the admin: an allowed page must not read it with a signed-in user's cookies.
CORS_URLS_REGEX = r"^/(?!admin/|static/)"
CORS_ALLOW_CREDENTIALS = True
CORS_ALLOW_PRIVATE_NETWORK = True
CORS_ALLOW_METHODS = ["GET", "HEAD", "POST", "OPTIONS"]
CORS_EXPOSE_HEADERS = ["Age", "Content-Disposition", "ETag", "Retry-After", "X-Truncated"]
CORS_PREFLIGHT_MAX_AGE = 600

# Keys. Opening a deployment to everybody takes this explicit setting, and `check --deploy` complains about it.
WIDGETS_OPEN = env.flag("WIDGETS_OPEN", False)
WIDGETS_QUERY_KEY = env.flag("WIDGETS_QUERY_KEY", True)

# Parameters in one list, without the rows that widgets place them in: openbb-api, merging backends, fails at rows.
WIDGETS_FLAT_PARAMS = env.flag("WIDGETS_FLAT_PARAMS", False)

# Hosts that may be asked for data: names, or *.example.com for those below; none for every public host.
WIDGETS_OUTBOUND_HOSTS = env.names("WIDGETS_OUTBOUND_HOSTS", [])

# The catalog: how often each process looks for published changes; memory for manifests and for results.
WIDGETS_CATALOG_CHECK_SECONDS = env.number("WIDGETS_CATALOG_CHECK_SECONDS", 1.0, least=0, most=3600)
WIDGETS_MANIFEST_CACHE_MB = env.number("WIDGETS_MANIFEST_CACHE_MB", 64, least=1, most=100_000)
WIDGETS_RESULT_CACHE_MB = env.number("WIDGETS_RESULT_CACHE_MB", 256, least=0, most=100_000)
# How long after its time a result is still given while a new one is made, and how old one must be to be made anew
# for a request with Cache-Control: no-cache.
WIDGETS_STALE_SECONDS = env.number("WIDGETS_STALE_SECONDS", 60, least=0, most=86_400)
WIDGETS_NO_CACHE_SECONDS = env.number("WIDGETS_NO_CACHE_SECONDS", 1, least=1, most=86_400)

# The largest file that an export may make.
WIDGETS_EXPORT_MB = env.number("WIDGETS_EXPORT_MB", 2048, least=1, most=1_000_000)

# What DuckDB may take for each folder of data files, in each process; and how many replaced files are kept of each.
WIDGETS_DUCKDB_MEMORY_MB = env.number("WIDGETS_DUCKDB_MEMORY_MB", 1024, least=64, most=10_000_000)
WIDGETS_DUCKDB_TEMP_MB = env.number("WIDGETS_DUCKDB_TEMP_MB", 4096, least=0, most=100_000_000)
WIDGETS_DUCKDB_THREADS = int(env.number("WIDGETS_DUCKDB_THREADS", min(4, os.cpu_count() or 1), least=1, most=256))
WIDGETS_FILE_VERSIONS = int(env.number("WIDGETS_FILE_VERSIONS", 5, least=0, most=1000))

TIME_ZONE = env.text("TIME_ZONE", "UTC")
try:
    ZoneInfo(TIME_ZONE)
except (KeyError, ValueError, OSError):
    raise ImproperlyConfigured(f'TIME_ZONE is "{TIME_ZONE}". Use a name such as Europe/Riga.') from None
USE_TZ = True
LANGUAGE_CODE = "en"
USE_I18N = True

INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "corsheaders",
    "rest_framework",
    "widgets_app",  # before staticfiles: it has the runserver that also serves live feeds
    "django.contrib.staticfiles",
]

MIDDLEWARE = [
    "widgets_app.cors.EchoingCorsMiddleware",
    "widgets_app.security.PublicHostSecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "project.urls"
# A redirect would lose a POST and fail a preflight.
APPEND_SLASH = False
WSGI_APPLICATION = "project.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

DATABASES = {"default": env.database("DATABASE_URL", WIDGETS_HOME / "db.sqlite3")}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
CACHE_URL = env.text("CACHE_URL", "")
if CACHE_URL and not CACHE_URL.startswith(("redis://", "rediss://")):
    raise ImproperlyConfigured("CACHE_URL must start with redis:// or rediss://, or be empty for memory.")
CACHES = {
    # For the admin's own use, such as what its search found a moment ago.
    "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
    "results": {
        "BACKEND": "widgets_app.stores.RedisStore",
        "LOCATION": CACHE_URL,
        # Servers of one deployment have one secret key; what another keeps in the same Redis is none of theirs.
        "KEY_PREFIX": hashlib.blake2b(SECRET_KEY.encode(), digest_size=8).hexdigest(),
        "OPTIONS": {"serializer": "widgets_app.stores.Plain", "socket_connect_timeout": 1, "socket_timeout": 5},
    }
    if CACHE_URL
    else {"BACKEND": "widgets_app.stores.MemoryCache", "LOCATION": "results"},
}

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

STATIC_URL = "/static/"
# Served straight from the apps' folders, so that no collecting step stands between a clone and the admin.
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = DEBUG

# A widget with hundreds of columns is one form.
DATA_UPLOAD_MAX_NUMBER_FIELDS = 50_000

SECURE_CONTENT_TYPE_NOSNIFF = True
# For how long browsers refuse plain HTTP to the host of PUBLIC_URL, all its ports included.
SECURE_HSTS_SECONDS = int(env.number("HSTS_SECONDS", 0, least=0, most=100_000_000))
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = PUBLIC_URL.startswith("https://")

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["widgets_app.authentication.KeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["widgets_app.permissions.HasCaller"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "widgets_app.renderers.OnlyJSON",
    "DEFAULT_RENDERER_CLASSES": ["widgets_app.renderers.StrictJSONRenderer"],
    "EXCEPTION_HANDLER": "widgets_app.exceptions.handle",
    "UNAUTHENTICATED_USER": None,
    "NUM_PROXIES": 0,  # the server has already put the client's address in REMOTE_ADDR
}

UNFOLD = {
    "SITE_TITLE": "Widgets backend",
    "SITE_HEADER": "Widgets backend",
    "SITE_SUBHEADER": "for OpenBB Workspace",
    "SITE_SYMBOL": "widgets",
    "SITE_URL": None,
    "SHOW_HISTORY": True,
    "COMMAND": {"search_models": True},
    "SIDEBAR": {"show_search": True, "command_search": True, "navigation": "widgets_app.admin.navigation.sidebar"},
    "STYLES": [lambda _request: static("widgets_app/admin.css")],
    "SCRIPTS": [lambda _request: static("widgets_app/admin.js")],
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda _request: static("widgets_app/favicon.svg")}
    ],
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "loggers": {
        "widgets_app": {"handlers": ["console"], "level": "INFO"},
        "project": {"handlers": ["console"], "level": "INFO"},
        # Every refused request would be a line; the request log is for that.
        "django.request": {"handlers": ["console"], "level": "ERROR", "propagate": False},
    },
}
