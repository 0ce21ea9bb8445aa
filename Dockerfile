# The production server. State (database, uploads, generated secret key) lives in the volume /state.
FROM python:3.11-slim

ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 \
    WIDGETS_HOME=/state HOST=0.0.0.0 PORT=7779

WORKDIR /app
COPY requirements.txt .
RUN pip install -r requirements.txt

COPY manage.py ./
COPY project project
COPY widgets_app widgets_app
COPY docs docs

RUN useradd --create-home --uid 10001 widgets && mkdir /state && chown widgets /state
USER widgets
VOLUME /state
EXPOSE 7779

HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
    CMD ["python", "-c", "import os, ssl, urllib.request; \
      s = 's' if os.environ.get('HTTPS', '').lower() in ('1', 'true', 'yes', 'on') else ''; tls = ssl._create_unverified_context(); \
      urllib.request.urlopen(f'http{s}://127.0.0.1:7779/-/health', timeout=2, context=tls)"]

CMD ["sh", "-c", "python manage.py migrate --noinput && exec python manage.py serve --workers 2"]
