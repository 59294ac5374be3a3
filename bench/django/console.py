"""The same directory and messages in Django's admin with unfold: what an in-house tool is usually made of. Only for `make bench`.

`console.py fill <accounts> <lines> <conversations> <messages>` makes the tables, fills them and prints the cookie of somebody signed in;
`console.py serve <port>` serves them by gunicorn, as unfold's and Django's documents have it. DATABASE is a file or a postgres:// URL.
"""

import os
import sys
from datetime import timedelta
from urllib.parse import urlsplit

import django
from django.conf import settings

DATABASE = os.environ["DATABASE"]


def database():
    if not DATABASE.startswith("postgres"):
        # WAL and a busy timeout: what Django's documents advise for SQLite in production.
        options = {"init_command": "pragma journal_mode=wal; pragma synchronous=full", "transaction_mode": "IMMEDIATE"}
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": DATABASE, "OPTIONS": options}
    url = urlsplit(DATABASE)
    place = {"NAME": url.path[1:], "USER": url.username, "HOST": url.hostname, "PORT": url.port, "PASSWORD": url.password or ""}
    return {"ENGINE": "django.db.backends.postgresql", "CONN_MAX_AGE": 600, **place}


settings.configure(
    SECRET_KEY="only for a bench",
    DEBUG=False,
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF="__main__" if __name__ == "__main__" else __name__,
    DATABASES={"default": database()},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    USE_TZ=True,
    STATIC_URL="/static/",
    INSTALLED_APPS=[
        "unfold",
        "django.contrib.admin",
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "django.contrib.messages",
        "django.contrib.staticfiles",
    ],
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        "django.middleware.gzip.GZipMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
    ],
    TEMPLATES=[
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
    ],
)
django.setup()

from django.contrib import admin  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.db import connection, models  # noqa: E402
from django.urls import path  # noqa: E402
from django.utils import timezone  # noqa: E402
from unfold.admin import ModelAdmin  # noqa: E402

TYPES = [("none", "None"), ("inbox", "Inbox"), ("ringcentral", "RingCentral")]


class Model(models.Model):
    class Meta:
        abstract = True
        app_label = "auth"


class Account(Model):
    name = models.CharField(max_length=200, unique=True)
    sends_blasts = models.BooleanField(default=True)
    has_conversations = models.BooleanField(default=True)
    created_at = models.DateTimeField()

    def __str__(self):
        return self.name


class Line(Model):
    number = models.CharField(max_length=20, unique=True)
    label = models.CharField(max_length=200, db_index=True)
    account = models.ForeignKey(Account, models.PROTECT)
    integration_type = models.CharField(max_length=20, choices=TYPES, db_index=True)
    created_at = models.DateTimeField()

    def __str__(self):
        return f"{self.number} {self.label}"


class Conversation(Model):
    line = models.ForeignKey(Line, models.PROTECT)
    number = models.CharField(max_length=20)
    last_at = models.DateTimeField()

    class Meta(Model.Meta):
        abstract = False
        unique_together = [("line", "number")]
        indexes = [models.Index(fields=["line", "last_at"]), models.Index(fields=["number"]), models.Index(fields=["last_at"])]

    def __str__(self):
        return self.number


class Message(Model):
    conversation = models.ForeignKey(Conversation, models.PROTECT)
    direction = models.CharField(max_length=10)
    body = models.TextField()
    state = models.CharField(max_length=10)
    created_at = models.DateTimeField()


@admin.register(Account)
class AccountAdmin(ModelAdmin):
    list_display = ["name", "sends_blasts", "has_conversations", "created_at"]
    search_fields = ["name"]
    list_per_page = 50


@admin.register(Line)
class LineAdmin(ModelAdmin):
    list_display = ["number", "label", "account", "integration_type", "created_at"]
    list_filter = ["integration_type"]
    list_select_related = ["account"]
    search_fields = ["number", "label", "account__name"]
    autocomplete_fields = ["account"]
    ordering = ["number"]
    list_per_page = 50


@admin.register(Conversation)
class ConversationAdmin(ModelAdmin):
    list_display = ["number", "line", "last_at"]
    list_select_related = ["line"]
    search_fields = ["number"]
    autocomplete_fields = ["line"]
    ordering = ["-last_at"]
    list_per_page = 50


urlpatterns = [path("admin/", admin.site.urls)]
application = get_wsgi_application()


def fill(accounts, lines, conversations, messages):
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, get_user_model
    from django.contrib.sessions.backends.db import SessionStore

    call_command("migrate", verbosity=0)
    with connection.schema_editor() as schema:
        for model in [Account, Line, Conversation, Message]:
            schema.create_model(model)
    now = timezone.now()

    def write(model, rows):
        model.objects.bulk_create(rows, batch_size=5_000)

    write(Account, [Account(id=n + 1, name=f"Account {n}", created_at=now) for n in range(accounts)])
    numbers = [f"+999{500_000_000 + n:010}" for n in range(lines)]
    write(
        Line,
        [
            Line(id=n + 1, number=number, label=f"Desk {n % 20}", account_id=n % accounts + 1, integration_type=TYPES[n % 3][0], created_at=now)
            for n, number in enumerate(numbers)
        ],
    )
    part = 100_000
    for begin in range(0, conversations, part):
        rows = range(begin, min(begin + part, conversations))
        made = [
            Conversation(id=n + 1, line_id=n % lines + 1, number=f"+999{1_000_000 + n:010}", last_at=now - timedelta(seconds=n % 10_000))
            for n in rows
        ]
        write(Conversation, made)
    body = "Your order is on its way and will be with you between ten and twelve tomorrow. Reply STOP to get no more of these."
    for begin in range(0, messages, part):
        rows = range(begin, min(begin + part, messages))
        made = [
            Message(conversation_id=n % conversations + 1, direction="outbound", body=body, state="delivered", created_at=now) for n in rows
        ]
        write(Message, made)
    with connection.cursor() as cursor:
        cursor.execute("analyze")
    user = get_user_model().objects.create_superuser("bench", "bench@example.com", "a long enough password")
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    print(f"sessionid={session.session_key}")


def serve(port):
    from gunicorn.app.base import BaseApplication

    class Server(BaseApplication):
        def load_config(self):
            self.cfg.set("bind", f"127.0.0.1:{port}")
            self.cfg.set("workers", 2)
            self.cfg.set("control_socket_disable", True)
            # Connections are kept, as a proxy in front would.
            self.cfg.set("worker_class", "gthread")
            self.cfg.set("threads", 2)

        def load(self):
            return application

    Server().run()


if __name__ == "__main__":
    if sys.argv[1] == "fill":
        fill(*map(int, sys.argv[2:]))
    else:
        serve(int(sys.argv[2]))
